#include "common/ports/sealed_content.h"

#include <utility>

namespace tocsin {
namespace {

SealContext ContextOf(const records::v1::WorkRecord& work) {
  return {work.client_id(), work.attempt().alert_id(), kContentField};
}

}  // namespace

Status SealContent(Vault& vault, const records::v1::Content& content,
                   records::v1::WorkRecord& work) {
  TOCSIN_TRY(SealedValue value, vault.Seal(ContextOf(work), content.SerializeAsString()));
  *work.mutable_content() = std::move(value.sealed);
  *work.mutable_key() = std::move(value.key);
  return {};
}

Result<records::v1::Content> OpenContent(Vault& vault, const records::v1::WorkRecord& work) {
  TOCSIN_TRY(const Pii plain, vault.Open(ContextOf(work), work.key(), work.content()));
  records::v1::Content content;
  if (!content.ParseFromString(plain.Reveal()))
    return Fail(ErrorCode::kDataCorrupted, "content of the work record does not parse");
  return content;
}

}  // namespace tocsin
