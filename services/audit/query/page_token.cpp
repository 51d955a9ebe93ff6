#include "services/audit/query/page_token.h"

#include <cstdint>

#include "common/base/encoding.h"

namespace tocsin::audit {
namespace {

// Version of the key (4, big endian), cursor, MAC (16).
constexpr size_t kVersionBytes = 4;
constexpr size_t kMacBytes = 16;
constexpr size_t kMaxTokenChars = 512;

// The same key signs callback tokens. They begin with a byte that this text does not begin with.
std::string SignedText(std::string_view scope, std::string_view cursor) {
  std::string text = "page ";
  text += std::to_string(scope.size());
  text += ' ';
  return text.append(scope).append(cursor);
}

}  // namespace

std::string MakePageToken(Vault& vault, std::string_view scope, std::string_view cursor) {
  std::uint32_t version = 0;
  const std::string mac = vault.SignCallback(SignedText(scope, cursor), version);
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(version >> shift);
  return Base64UrlEncode(bytes.append(cursor).append(mac));
}

Result<std::string> OpenPageToken(Vault& vault, std::string_view scope, std::string_view token) {
  if (token.size() > kMaxTokenChars) return Fail(InvalidPageToken());
  const auto bytes = Base64UrlDecode(token);
  // Encoded again, because unused bits of the last character would allow two texts of one token.
  if (!bytes || bytes->size() < kVersionBytes + kMacBytes || Base64UrlEncode(*bytes) != token)
    return Fail(InvalidPageToken());
  std::uint32_t version = 0;
  for (size_t i = 0; i < kVersionBytes; ++i)
    version = version << 8 | static_cast<unsigned char>((*bytes)[i]);
  std::string cursor = bytes->substr(kVersionBytes, bytes->size() - kVersionBytes - kMacBytes);
  const std::string_view mac = std::string_view(*bytes).substr(bytes->size() - kMacBytes);
  if (!vault.CheckCallback(SignedText(scope, cursor), version, mac))
    return Fail(InvalidPageToken());
  return cursor;
}

Error InvalidPageToken() {
  return {.code = ErrorCode::kInvalidArgument,
          .message = "not a page token of this list: pass next_page_token with the same filter",
          .field = "page_token"};
}

}  // namespace tocsin::audit
