#include "common/rpc/auth.h"

#include <cctype>
#include <string_view>

namespace tocsin::rpc {
namespace {

constexpr std::string_view kScheme = "bearer ";

std::optional<std::string> SingleEntry(const grpc::ServerContextBase& context, const char* name) {
  const auto& metadata = context.client_metadata();
  const auto [begin, end] = metadata.equal_range(name);
  if (begin == end || std::next(begin) != end) return std::nullopt;
  return std::string(begin->second.data(), begin->second.size());
}

bool HasScheme(std::string_view text) {
  if (text.size() < kScheme.size()) return false;
  for (size_t i = 0; i < kScheme.size(); ++i)  // the scheme is case-insensitive (RFC 7235)
    if (std::tolower(static_cast<unsigned char>(text[i])) != kScheme[i]) return false;
  return true;
}

}  // namespace

Result<Secret> BearerKey(const grpc::ServerContextBase& context) {
  const auto header = SingleEntry(context, "authorization");
  if (!header || !HasScheme(*header))
    return Fail(ErrorCode::kUnauthenticated,
                "metadata must have one entry `authorization: Bearer <API key>`", "authorization");
  return Secret(header->substr(kScheme.size()));
}

std::optional<std::string> Traceparent(const grpc::ServerContextBase& context) {
  return SingleEntry(context, "traceparent");
}

}  // namespace tocsin::rpc
