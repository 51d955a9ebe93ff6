#include "common/redis/reply.h"

#include <charconv>

namespace tocsin::redis {
namespace {

constexpr std::size_t kMaxErrorText = 120;

}  // namespace

std::string_view Reply::Text(std::size_t index) const {
  return index < items.size() ? std::string_view(items[index].text) : std::string_view();
}

std::int64_t Reply::Number(std::size_t index) const {
  if (index >= items.size()) return 0;
  const Reply& item = items[index];
  if (item.kind == Kind::kInteger) return item.integer;
  std::int64_t number = 0;
  std::from_chars(item.text.data(), item.text.data() + item.text.size(), number);
  return number;
}

Error ErrorOf(const Reply& reply) {
  return Unavailable(reply.IsError() ? std::string_view(reply.text).substr(0, kMaxErrorText)
                                     : "unexpected reply");
}

Error Unavailable(std::string_view reason) {
  return {.code = ErrorCode::kRedisUnavailable, .message = std::string("Redis: ").append(reason)};
}

}  // namespace tocsin::redis
