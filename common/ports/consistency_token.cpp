#include "common/ports/consistency_token.h"

namespace tocsin {
namespace {

constexpr size_t kMaxTopicCharacters = 249;  // Kafka's bound
constexpr size_t kMaxTokenBytes = 512;

}  // namespace

std::string MakeConsistencyToken(const records::v1::Position& position) {
  return position.SerializeAsString();
}

Error InvalidConsistencyToken(std::string_view field) {
  return {.code = ErrorCode::kInvalidArgument,
          .message = "not a consistency token that Enqueue returned",
          .field = std::string(field)};
}

Result<records::v1::Position> ParseConsistencyToken(std::string_view bytes,
                                                    std::string_view field) {
  records::v1::Position position;
  if (bytes.size() > kMaxTokenBytes ||
      !position.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) ||
      position.topic().empty() || position.topic().size() > kMaxTopicCharacters ||
      position.partition() < 0 || position.offset() < 0)
    return Fail(InvalidConsistencyToken(field));
  return position;
}

}  // namespace tocsin
