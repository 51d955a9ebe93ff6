#include "services/ingress/webhooks/verification.h"

#include <algorithm>
#include <optional>
#include <string>

#include "common/twilio/webhooks/signature.h"
#include "common/twilio/webhooks/webhook.h"

namespace tocsin::ingress {
namespace {

constexpr size_t kMaxAccountsTried = 32;

// Whether the media type is `type`, ignoring parameters.
bool HasType(const http::Request& request, std::string_view type) {
  const auto header = request.Find("content-type");
  if (!header) return false;
  std::string_view media = header->substr(0, header->find(';'));
  while (!media.empty() && media.back() == ' ') media.remove_suffix(1);
  return http::SameToken(media, type);
}

// Sets account and signed_by. False if the signature is invalid.
bool FindSigner(const RegistrySnapshot& registry, const http::Request& request, bool is_json,
                std::string_view public_base_url, VerifiedRequest& verified) {
  const std::string_view signature = request.Find("x-twilio-signature").value_or("");
  const std::string url = std::string(public_base_url) + request.target;
  const auto is_signed_by = [&](const Account& account) {
    verified.account = &account;
    verified.signed_by = is_json
                             ? twilio::SigningTokenOfJson(account, url, request.body, signature)
                             : twilio::SigningTokenOfForm(account, url, verified.fields, signature);
    return verified.signed_by != records::v1::SIGNING_TOKEN_UNSPECIFIED;
  };
  if (const Account* named = registry.FindAccount(twilio::FieldOf(verified.fields, "AccountSid")))
    return is_signed_by(*named);
  const auto& accounts = registry.All().accounts;
  const auto tried = std::min(accounts.size(), kMaxAccountsTried);
  return std::any_of(accounts.begin(), accounts.begin() + static_cast<std::ptrdiff_t>(tried),
                     is_signed_by);
}

}  // namespace

bool IsChannelDisabled(const RegistrySnapshot& registry, records::v1::WebhookKind kind) {
  if (std::ranges::all_of(registry.All().accounts,
                          [](const Account& account) { return account.auth_token.empty(); }))
    return true;
  if (kind == records::v1::WEBHOOK_KIND_UNSPECIFIED) return false;
  const bool sms =
      kind == records::v1::WEBHOOK_KIND_SMS_STATUS || kind == records::v1::WEBHOOK_KIND_SMS_INBOUND;
  return registry.ModeOf(sms ? v1::CHANNEL_SMS : v1::CHANNEL_VOICE) == ChannelMode::kDisabled;
}

tl::expected<VerifiedRequest, WebhookResult> Verify(const RegistrySnapshot& registry,
                                                    const http::Request& request,
                                                    std::string_view public_base_url) {
  if (!request.Find("x-twilio-signature")) return tl::unexpected(WebhookResult::kUnsigned);
  if (!twilio::IsSignedByToken(request.Find("x-twilio-webhooks-signature-settings").value_or("")))
    return tl::unexpected(WebhookResult::kInvalidSignature);
  const bool is_json = HasType(request, "application/json");
  if (!is_json && !request.body.empty() && !HasType(request, "application/x-www-form-urlencoded"))
    return tl::unexpected(WebhookResult::kWrongType);
  VerifiedRequest verified;
  if (!is_json) {
    auto fields = FormDecode(request.body, twilio::kMaxWebhookParameters);
    if (!fields) return tl::unexpected(WebhookResult::kUnparsable);
    verified.fields = *std::move(fields);
  }
  if (!FindSigner(registry, request, is_json, public_base_url, verified))
    return tl::unexpected(WebhookResult::kInvalidSignature);
  return verified;
}

}  // namespace tocsin::ingress
