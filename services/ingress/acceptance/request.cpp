#include "services/ingress/acceptance/request.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>

#include "common/domain/alert/request_rules.h"
#include "services/ingress/acceptance/metadata.h"

namespace tocsin::ingress {
namespace {

Status CheckEnums(const v1::EnqueueRequest& request) {
  if (!v1::Priority_IsValid(request.priority()))
    return Fail(ErrorCode::kInvalidArgument, "is not a value of Priority", "priority");
  if (!v1::InDoubtPolicy_IsValid(request.in_doubt_policy()))
    return Fail(ErrorCode::kInvalidArgument, "is not a value of InDoubtPolicy", "in_doubt_policy");
  return {};
}

// The target of a request without a plan.
v1::Target TargetOf(const v1::EnqueueRequest& request) {
  v1::Target target;
  target.set_channel(request.channel());
  target.set_to(request.to());
  target.set_text(request.text());
  target.set_sender_id(request.sender_id());
  if (request.has_voice()) *target.mutable_voice() = request.voice();
  return target;
}

Result<std::vector<NormalizedTarget>> TargetsOf(const v1::EnqueueRequest& request,
                                                const RequestRules& rules) {
  if (request.has_plan()) return NormalizeTargets(request, rules.public_base_url);
  std::vector<NormalizedTarget> targets;
  TOCSIN_TRY(NormalizedTarget target,
             NormalizeTarget(TargetOf(request), {}, {}, rules.public_base_url));
  targets.push_back(std::move(target));
  return targets;
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

// The id of the sender.
Result<std::string> SelectSender(const NormalizedTarget& target, v1::Priority priority,
                                 const RegistrySnapshot& registry) {
  TOCSIN_CHECK_OK(CheckChannelMode(target.channel, registry));
  TOCSIN_CHECK_OK(CheckCredentials(registry));
  TOCSIN_TRY(const Sender* sender, registry.SenderFor(target.to.E164(), target.channel, priority,
                                                      target.requested_sender_id));
  TOCSIN_CHECK_OK(CheckCredentials(registry, *sender));
  return sender->id;
}

}  // namespace

Result<NormalizedRequest> Normalize(const v1::EnqueueRequest& request, const RequestRules& rules) {
  TOCSIN_CHECK_OK(CheckKey(request.idempotency_key()));
  TOCSIN_CHECK_OK(CheckEnums(request));
  NormalizedRequest normalized;
  if (request.priority() != v1::PRIORITY_UNSPECIFIED) normalized.priority = request.priority();
  TOCSIN_CHECK_OK(CheckLabels(request));
  TOCSIN_TRY(normalized.targets, TargetsOf(request, rules));
  if (request.has_plan()) {
    TOCSIN_TRY(normalized.goal, NormalizeGoal(request.plan().goal(), normalized.targets));
  }
  return normalized;
}

Pii CanonicalForm(const v1::EnqueueRequest& request, const NormalizedRequest& normalized) {
  v1::EnqueueRequest canonical = request;
  canonical.clear_idempotency_key();
  canonical.set_priority(normalized.priority);
  auto target = normalized.targets.begin();
  for (v1::Step& step : *canonical.mutable_plan()->mutable_steps())
    for (v1::Target& of : *step.mutable_targets()) {
      of.set_to(target->to.E164());
      of.set_channel((target++)->channel);
    }
  if (!request.has_plan()) {
    canonical.clear_plan();
    canonical.set_to(normalized.first().to.E164());
    canonical.set_channel(normalized.first().channel);
  }
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
  std::vector<std::string> sender_ids;
  for (const NormalizedTarget& target : normalized.targets) {
    Result<std::string> sender_id = SelectSender(target, normalized.priority, registry);
    if (!sender_id) {
      sender_id.error().field = target.path + sender_id.error().field;
      return Fail(sender_id.error());
    }
    sender_ids.push_back(*std::move(sender_id));
  }
  CheckedRequest checked{
      .normalized = std::move(normalized),
      .sender_ids = std::move(sender_ids),
      .send_time = request.has_send_time() ? std::optional(window.send_time) : std::nullopt,
      .expire_time = window.expire_time};
  if (const auto& goal = checked.normalized.goal) {
    TOCSIN_TRY(checked.deadline, DeadlineOf(*goal, checked.normalized.targets,
                                            std::max(window.send_time, now), window.expire_time));
  }
  return checked;
}

}  // namespace tocsin::ingress
