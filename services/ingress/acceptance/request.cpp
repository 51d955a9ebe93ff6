#include "services/ingress/acceptance/request.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>

#include "common/domain/alert/request_rules.h"
#include "common/domain/message/segments.h"
#include "common/twilio/twiml/say_options.h"
#include "services/ingress/acceptance/metadata.h"
#include "services/ingress/ack_links/ack_text.h"

namespace tocsin::ingress {
namespace {

Status CheckEnums(const v1::EnqueueRequest& request) {
  if (!v1::Priority_IsValid(request.priority()))
    return Fail(ErrorCode::kInvalidArgument, "is not a value of Priority", "priority");
  if (!v1::Channel_IsValid(request.channel()))
    return Fail(ErrorCode::kInvalidArgument, "is not a value of Channel", "channel");
  if (!v1::InDoubtPolicy_IsValid(request.in_doubt_policy()))
    return Fail(ErrorCode::kInvalidArgument, "is not a value of InDoubtPolicy", "in_doubt_policy");
  return {};
}

Result<v1::VoiceOptions> VoiceOptionsOf(const v1::EnqueueRequest& request, v1::Channel channel) {
  if (!request.has_voice()) return v1::VoiceOptions();
  if (channel != v1::CHANNEL_VOICE)
    return Fail(ErrorCode::kInvalidArgument, "is only for CHANNEL_VOICE", "voice");
  return twilio::CheckSayOptions(request.voice());
}

Status CheckChannelMode(v1::Channel channel, const RegistrySnapshot& registry) {
  if (registry.ModeOf(channel) != ChannelMode::kDisabled) return {};
  if (channel == v1::CHANNEL_VOICE)
    return Fail(ErrorCode::kVoiceDisabled, "the voice channel is disabled", "channel");
  return Fail(ErrorCode::kSmsDisabled, "the SMS channel is disabled", "channel");
}

Status CheckCredentials(const RegistrySnapshot& registry) {
  const auto& accounts = registry.All().accounts;
  if (std::ranges::any_of(accounts,
                          [](const Account& account) { return !account.auth_token.empty(); }))
    return {};
  return Fail(ErrorCode::kCredentialsMissing, "the registry has no Twilio account with credentials",
              "channel");
}

Status CheckCredentials(const RegistrySnapshot& registry, const Sender& sender) {
  const Account* account = registry.FindAccount(sender.account_sid);
  if (account != nullptr && !account->auth_token.empty()) return {};
  return Fail(ErrorCode::kCredentialsMissing,
              "the Twilio account of sender `" + sender.id + "` has no credentials in the registry",
              "sender_id");
}

}  // namespace

Result<NormalizedRequest> Normalize(const v1::EnqueueRequest& request, const RequestRules& rules) {
  TOCSIN_CHECK_OK(CheckKey(request.idempotency_key()));
  TOCSIN_CHECK_OK(CheckEnums(request));
  const v1::Channel channel =
      request.channel() == v1::CHANNEL_UNSPECIFIED ? v1::CHANNEL_SMS : request.channel();
  const bool sms = channel == v1::CHANNEL_SMS;
  TOCSIN_CHECK_OK(CheckAckPlaceholders(request.text(), channel));
  const std::string text = TextWithAnyAck(request.text(), rules.public_base_url);
  TOCSIN_CHECK_OK(CheckText(text));
  TOCSIN_TRY(v1::VoiceOptions voice, VoiceOptionsOf(request, channel));
  TOCSIN_CHECK_OK(CheckLabels(request));
  TOCSIN_TRY(Phone to, Phone::Parse(request.to()));
  NormalizedRequest normalized{
      .to = std::move(to),
      .priority =
          request.priority() == v1::PRIORITY_UNSPECIFIED ? v1::PRIORITY_NORMAL : request.priority(),
      .channel = channel,
      .segment_count = sms ? static_cast<std::int32_t>(CountSegments(text).segments) : 0,
      .voice = std::move(voice)};
  return normalized;
}

Pii CanonicalForm(const v1::EnqueueRequest& request, const NormalizedRequest& normalized) {
  v1::EnqueueRequest canonical = request;
  canonical.clear_idempotency_key();
  canonical.set_to(normalized.to.E164());
  canonical.set_priority(normalized.priority);
  canonical.set_channel(normalized.channel);
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    canonical.SerializeToCodedStream(&coded);
  }
  return Pii(std::move(bytes));
}

Result<CheckedRequest> CheckRequest(const v1::EnqueueRequest& request,
                                    const RegistrySnapshot& registry, WallTime now,
                                    const RequestRules& rules) {
  TOCSIN_TRY(NormalizedRequest normalized, Normalize(request, rules));
  if (!rules.allow_pii_like_metadata) {
    TOCSIN_CHECK_OK(CheckMetadata(request, registry.Regions()));
  }
  TOCSIN_TRY(const SendWindow window, SendWindowOf(request, now));
  TOCSIN_CHECK_OK(CheckChannelMode(normalized.channel, registry));
  TOCSIN_CHECK_OK(CheckCredentials(registry));
  TOCSIN_TRY(const Sender* sender, registry.SenderFor(normalized.to.E164(), normalized.channel,
                                                      normalized.priority, request.sender_id()));
  TOCSIN_CHECK_OK(CheckCredentials(registry, *sender));
  return CheckedRequest{
      .normalized = std::move(normalized),
      .text = Pii(request.text()),
      .sender_id = sender->id,
      .send_time = request.has_send_time() ? std::optional(window.send_time) : std::nullopt,
      .expire_time = window.expire_time};
}

}  // namespace tocsin::ingress
