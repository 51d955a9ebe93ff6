#include "services/audit/page_token.h"

#include <cstdint>

#include "common/base/encoding.h"

namespace tocsin::audit {
namespace {

// The key's version (4, big endian), the place, the MAC (16).
constexpr size_t kVersionBytes = 4;
constexpr size_t kMacBytes = 16;
constexpr size_t kMaxTokenChars = 512;

// The same key signs callback tokens, which begin with a byte that no text begins with.
std::string Signed(std::string_view bound_to, std::string_view place) {
  std::string message = "page ";
  message += std::to_string(bound_to.size());
  message += ' ';
  return message.append(bound_to).append(place);
}

}  // namespace

std::string MakePageToken(Vault& vault, std::string_view bound_to, std::string_view place) {
  std::uint32_t version = 0;
  const std::string mac = vault.SignCallback(Signed(bound_to, place), version);
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(version >> shift);
  return Base64UrlEncode(bytes.append(place).append(mac));
}

Result<std::string> OpenPageToken(Vault& vault, std::string_view bound_to, std::string_view token) {
  const auto refused = [] {
    return Fail(ErrorCode::kInvalidArgument,
                "not a token of this list: use next_page_token under the same filter",
                "page_token");
  };
  if (token.size() > kMaxTokenChars) return refused();
  const auto bytes = Base64UrlDecode(token);
  // Encoded again: spare bits of the last character must not make two texts of one token.
  if (!bytes || bytes->size() < kVersionBytes + kMacBytes || Base64UrlEncode(*bytes) != token)
    return refused();
  std::uint32_t version = 0;
  for (size_t i = 0; i < kVersionBytes; ++i)
    version = version << 8 | static_cast<unsigned char>((*bytes)[i]);
  std::string place = bytes->substr(kVersionBytes, bytes->size() - kVersionBytes - kMacBytes);
  const std::string_view mac = std::string_view(*bytes).substr(bytes->size() - kMacBytes);
  if (!vault.CheckCallback(Signed(bound_to, place), version, mac)) return refused();
  return place;
}

}  // namespace tocsin::audit
