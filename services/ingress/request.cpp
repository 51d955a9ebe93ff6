#include "services/ingress/request.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>

#include "common/domain/request_rules.h"
#include "common/domain/segments.h"

namespace tocsin::ingress {
namespace {

// What the wire has room for and nobody carries out yet is refused by name, never ignored.
Status CheckUnbuilt(const v1::EnqueueRequest& request) {
  const auto refuse = [](const char* what, const char* field) {
    return Fail(ErrorCode::kNotBuilt,
                std::string(what) + " cannot be asked for yet; leave it empty", field);
  };
  if (request.plan_size() > 0) return refuse("a plan of several steps", "plan");
  if (request.has_template_()) return refuse("a stored text", "template");
  if (!v1::DoubtPolicy_IsValid(request.doubt_policy()))
    return Fail(ErrorCode::kInvalidArgument, "is not a policy of this API", "doubt_policy");
  return {};
}

Status CheckChannelMode(v1::Channel channel, const RegistrySnapshot& registry) {
  if (registry.ModeOf(channel) != ChannelMode::kDisabled) return {};
  if (channel == v1::CHANNEL_VOICE)
    return Fail(ErrorCode::kVoiceDisabled, "the voice channel is switched off here", "channel");
  return Fail(ErrorCode::kSmsDisabled, "the SMS channel is switched off here", "channel");
}

Status CheckCredentials(const RegistrySnapshot& registry) {
  const auto& accounts = registry.All().accounts;
  if (std::any_of(accounts.begin(), accounts.end(),
                  [](const Account& account) { return !account.auth_token.empty(); }))
    return {};
  return Fail(ErrorCode::kCredentialsMissing,
              "no Twilio account with credentials stands in the registry", "channel");
}

Status CheckCredentials(const RegistrySnapshot& registry, const Sender& sender) {
  const Account* account = registry.FindAccount(sender.account_sid);
  if (account != nullptr && !account->auth_token.empty()) return {};
  return Fail(
      ErrorCode::kCredentialsMissing,
      "the Twilio account of the sender `" + sender.id + "` has no credentials in the registry",
      "sender");
}

// The request with spelling taken away, in protobuf's deterministic form.
std::string Canonical(const v1::EnqueueRequest& request, const RequestForm& form) {
  v1::EnqueueRequest plain = request;
  plain.clear_idempotency_key();
  plain.set_to(form.to.E164());
  plain.set_class_(form.alert_class);
  plain.set_channel(form.channel);
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  plain.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

}  // namespace

Result<RequestForm> FormOf(const v1::EnqueueRequest& request) {
  TOCSIN_CHECK_OK(CheckKey(request.idempotency_key()));
  if (!v1::AlertClass_IsValid(request.class_()))
    return Fail(ErrorCode::kInvalidArgument, "is not a class of this API", "class");
  if (!v1::Channel_IsValid(request.channel()))
    return Fail(ErrorCode::kInvalidArgument, "is not a channel of this API", "channel");
  const v1::Channel channel =
      request.channel() == v1::CHANNEL_UNSPECIFIED ? v1::CHANNEL_SMS : request.channel();
  TOCSIN_CHECK_OK(CheckUnbuilt(request));
  TOCSIN_CHECK_OK(CheckText(request.text()));
  TOCSIN_TRY(v1::SpokenForm spoken, SpokenFormOf(request, channel));
  TOCSIN_CHECK_OK(CheckLabels(request));
  TOCSIN_TRY(Phone to, Phone::Parse(request.to()));
  RequestForm form{
      .to = std::move(to),
      .alert_class = request.class_() == v1::ALERT_CLASS_UNSPECIFIED ? v1::ALERT_CLASS_NORMAL
                                                                     : request.class_(),
      .channel = channel,
      .segments = channel == v1::CHANNEL_SMS ? CountSegments(request.text()).segments : 0,
      .spoken = std::move(spoken),
      .canonical = {}};
  form.canonical = Pii(Canonical(request, form));
  return form;
}

Result<CheckedRequest> Check(const v1::EnqueueRequest& request, const RegistrySnapshot& registry,
                             WallTime now) {
  TOCSIN_TRY(RequestForm form, FormOf(request));
  TOCSIN_TRY(const SendWindow window, SendWindowOf(request, now));
  TOCSIN_CHECK_OK(CheckChannelMode(form.channel, registry));
  TOCSIN_CHECK_OK(CheckCredentials(registry));
  TOCSIN_TRY(const Sender* sender,
             registry.SenderFor(form.to.E164(), form.channel, form.alert_class, request.sender()));
  TOCSIN_CHECK_OK(CheckCredentials(registry, *sender));
  return CheckedRequest{
      .form = std::move(form),
      .text = Pii(request.text()),
      .sender = sender->id,
      .send_at = request.has_send_at() ? std::optional(window.send_at) : std::nullopt,
      .not_after = window.not_after};
}

}  // namespace tocsin::ingress
