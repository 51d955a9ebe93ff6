#include "common/ports/sealed_content.h"

#include <utility>

namespace tocsin {
namespace {

// Each step has a field of its own, so that the contents of two steps cannot be exchanged.
std::string FieldOf(const records::v1::WorkRecord& work) {
  std::string field(kContentField);
  if (work.attempt().step() > 1) field += '/' + std::to_string(work.attempt().step());
  return field;
}

// `field` must outlive the context.
SealContext ContextOf(const records::v1::WorkRecord& work, const std::string& field) {
  return {work.client_id(), work.attempt().alert_id(), field};
}

}  // namespace

Status SealContent(Vault& vault, const records::v1::Content& content,
                   records::v1::WorkRecord& work) {
  const std::string field = FieldOf(work);
  TOCSIN_TRY(SealedValue value, vault.Seal(ContextOf(work, field), content.SerializeAsString()));
  *work.mutable_content() = std::move(value.sealed);
  *work.mutable_key() = std::move(value.key);
  return {};
}

Result<records::v1::Content> OpenContent(Vault& vault, const records::v1::WorkRecord& work) {
  const std::string field = FieldOf(work);
  TOCSIN_TRY(const Pii plain, vault.Open(ContextOf(work, field), work.key(), work.content()));
  records::v1::Content content;
  if (!content.ParseFromString(plain.Reveal()))
    return Fail(ErrorCode::kDataCorrupted, "content of the work record does not parse");
  return content;
}

}  // namespace tocsin
