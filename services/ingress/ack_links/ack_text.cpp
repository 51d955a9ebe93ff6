#include "services/ingress/ack_links/ack_text.h"

#include "common/base/digest.h"

namespace tocsin::ingress {
namespace {

constexpr unsigned kFirstCode = 1'000;  // no code begins with 0
constexpr unsigned kCodes = 9'000;

bool Has(std::string_view text, std::string_view placeholder) {
  return text.find(placeholder) != std::string_view::npos;
}

// The text has the placeholder at most once.
std::string Replaced(std::string_view text, std::string_view placeholder,
                     std::string_view replacement) {
  std::string replaced(text);
  if (const std::size_t at = text.find(placeholder); at != std::string_view::npos)
    replaced.replace(at, placeholder.size(), replacement);
  return replaced;
}

std::string WithLink(std::string_view text, std::string_view public_base_url,
                     std::string_view token) {
  return Replaced(text, kAckLinkPlaceholder,
                  std::string(public_base_url).append(kAckPath).append(token));
}

Status CheckPlaceholder(std::string_view text, std::string_view placeholder, v1::Channel channel) {
  const std::size_t at = text.find(placeholder);
  if (at == std::string_view::npos) return {};
  if (channel != v1::CHANNEL_SMS)
    return Fail(ErrorCode::kInvalidArgument,
                "has " + std::string(placeholder) +
                    ", which is only for CHANNEL_SMS; remove it: a call is acknowledged with key 1",
                "text");
  if (Has(text.substr(at + placeholder.size()), placeholder))
    return Fail(ErrorCode::kInvalidArgument,
                "has " + std::string(placeholder) + " more than once; keep one of them", "text");
  return {};
}

}  // namespace

Status CheckAckPlaceholders(std::string_view text, v1::Channel channel) {
  TOCSIN_CHECK_OK(CheckPlaceholder(text, kAckLinkPlaceholder, channel));
  return CheckPlaceholder(text, kAckCodePlaceholder, channel);
}

// Every character of base64url and every digit has one septet and is one UTF-16 unit.
std::string TextWithAnyAck(std::string_view text, std::string_view public_base_url) {
  return Replaced(WithLink(text, public_base_url, std::string(kAckTokenChars, 'A')),
                  kAckCodePlaceholder, std::to_string(kFirstCode));
}

Result<std::string> TextWithAck(std::string_view text, std::string_view public_base_url,
                                Vault& vault, const AckTokenContent& content) {
  std::string replaced = Replaced(text, kAckCodePlaceholder, AckCodeOf(text, content.alert_id));
  if (!Has(text, kAckLinkPlaceholder)) return replaced;
  TOCSIN_TRY(const std::string token, MakeAckToken(vault, content));
  return WithLink(replaced, public_base_url, token);
}

std::string AckCodeOf(std::string_view text, std::string_view alert_id) {
  if (!Has(text, kAckCodePlaceholder)) return {};
  const std::string digest = Sha256(alert_id);
  const unsigned number = static_cast<unsigned char>(digest[0]) << 16U |
                          static_cast<unsigned char>(digest[1]) << 8U |
                          static_cast<unsigned char>(digest[2]);
  return std::to_string(kFirstCode + number % kCodes);
}

}  // namespace tocsin::ingress
