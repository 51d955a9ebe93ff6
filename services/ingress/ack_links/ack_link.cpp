#include "services/ingress/ack_links/ack_link.h"

namespace tocsin::ingress {
namespace {

bool HasPlaceholder(std::string_view text) {
  return text.find(kAckPlaceholder) != std::string_view::npos;
}

// The text has the placeholder once.
std::string Replaced(std::string_view text, std::string_view public_base_url,
                     std::string_view token) {
  const std::size_t at = text.find(kAckPlaceholder);
  std::string replaced(text.substr(0, at));
  replaced.append(public_base_url).append(kAckPath).append(token);
  return replaced.append(text.substr(at + kAckPlaceholder.size()));
}

}  // namespace

Status CheckAckPlaceholder(std::string_view text, v1::Channel channel) {
  const std::size_t at = text.find(kAckPlaceholder);
  if (at == std::string_view::npos) return {};
  if (channel != v1::CHANNEL_SMS)
    return Fail(ErrorCode::kInvalidArgument,
                "has {ack_link}, which is only for CHANNEL_SMS; remove it: a call is acknowledged "
                "with key 1",
                "text");
  if (HasPlaceholder(text.substr(at + kAckPlaceholder.size())))
    return Fail(ErrorCode::kInvalidArgument, "has {ack_link} more than once; keep one of them",
                "text");
  return {};
}

// Every character of base64url has one septet and is one UTF-16 unit.
std::string TextWithAnyAckLink(std::string_view text, std::string_view public_base_url) {
  if (!HasPlaceholder(text)) return std::string(text);
  return Replaced(text, public_base_url, std::string(kAckTokenChars, 'A'));
}

Result<std::string> TextWithAckLink(std::string_view text, std::string_view public_base_url,
                                    Vault& vault, const AckTokenContent& content) {
  if (!HasPlaceholder(text)) return std::string(text);
  TOCSIN_TRY(const std::string token, MakeAckToken(vault, content));
  return Replaced(text, public_base_url, token);
}

}  // namespace tocsin::ingress
