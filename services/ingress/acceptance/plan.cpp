#include "services/ingress/acceptance/plan.h"

#include <algorithm>
#include <set>

#include "common/domain/alert/request_rules.h"
#include "common/domain/message/segments.h"
#include "common/twilio/twiml/say_options.h"
#include "services/ingress/ack_links/ack_text.h"

namespace tocsin::ingress {
namespace {

tl::unexpected<Error> Invalid(std::string message, std::string field) {
  return Fail(ErrorCode::kInvalidArgument, std::move(message), std::move(field));
}

// The error with the path of the field it names.
Error At(const std::string& path, Error error) {
  error.field = path + error.field;
  return error;
}

std::string PathOfStep(int step) { return "plan.steps[" + std::to_string(step) + "]."; }

Result<Micros> DurationOf(const google::protobuf::Duration& duration, const std::string& field) {
  constexpr Micros kShortest = std::chrono::seconds(1);
  constexpr Micros kLongest = kMaxTimeAhead;
  const std::int64_t seconds = std::clamp<std::int64_t>(
      duration.seconds(), -1, std::chrono::seconds(kMaxTimeAhead).count() + 1);
  const Micros value = std::chrono::seconds(seconds) + Micros(duration.nanos() / 1000);
  if (value < kShortest || value > kLongest) return Invalid("must be 1 s to 7 days", field);
  return value;
}

Result<v1::VoiceOptions> VoiceOf(const v1::Target& target, v1::Channel channel) {
  if (!target.has_voice()) return v1::VoiceOptions();
  if (channel != v1::CHANNEL_VOICE) return Invalid("is only for CHANNEL_VOICE", "voice");
  return twilio::CheckSayOptions(target.voice());
}

Status CheckExclusions(const v1::EnqueueRequest& request) {
  const auto refuse = [](const char* field) {
    return Invalid("must be empty with a plan; set it in the targets of the plan", field);
  };
  if (!request.to().empty()) return refuse("to");
  if (request.channel() != v1::CHANNEL_UNSPECIFIED) return refuse("channel");
  if (!request.sender_id().empty()) return refuse("sender_id");
  if (request.has_voice()) return refuse("voice");
  return {};
}

Status CheckCounts(const v1::Plan& plan) {
  if (plan.steps_size() == 0) return Invalid("has no step; add one", "plan.steps");
  if (plan.steps_size() > kMaxPlanSteps)
    return Fail(ErrorCode::kTooManyItems, "the maximum is 16 steps", "plan.steps");
  int targets = 0;
  for (int i = 0; i < plan.steps_size(); ++i) {
    if (plan.steps(i).targets_size() == 0)
      return Invalid("has no target; add one", PathOfStep(i) + "targets");
    targets += plan.steps(i).targets_size();
  }
  if (targets > kMaxPlanTargets)
    return Fail(ErrorCode::kTooManyItems, "the maximum is 32 targets in all steps", "plan.steps");
  return {};
}

Result<Micros> WaitOf(const v1::Plan& plan, int step) {
  const v1::Step& of = plan.steps(step);
  const std::string field = PathOfStep(step) + "wait_duration";
  if (step == 0 && of.has_wait_duration())
    return Invalid("must be empty: the first step starts at send_time", field);
  if (step == 0) return Micros(0);
  if (!of.has_wait_duration())
    return Invalid("is required: how long after the start of the step before it starts", field);
  return DurationOf(of.wait_duration(), field);
}

// The number of the nearest earlier target of the same person.
std::optional<std::string> EarlierNumber(const std::vector<NormalizedTarget>& targets,
                                         const std::string& person) {
  for (auto target = targets.rbegin(); target != targets.rend(); ++target)
    if (target->person == person) return target->to.E164();
  return std::nullopt;
}

}  // namespace

Result<NormalizedTarget> NormalizeTarget(const v1::Target& target, const std::string& path,
                                         const std::string& default_text,
                                         const std::string& public_base_url) {
  if (!v1::Channel_IsValid(target.channel()))
    return Invalid("is not a value of Channel", path + "channel");
  const v1::Channel channel =
      target.channel() == v1::CHANNEL_UNSPECIFIED ? v1::CHANNEL_SMS : target.channel();
  const std::string& given = target.text().empty() ? default_text : target.text();
  const std::string text_path = target.text().empty() ? std::string() : path;
  if (const Status valid = CheckAckPlaceholders(given, channel); !valid)
    return Fail(At(text_path, valid.error()));
  const std::string text = TextWithAnyAck(given, public_base_url);
  if (const Status valid = CheckText(text); !valid) return Fail(At(text_path, valid.error()));
  Result<v1::VoiceOptions> voice = VoiceOf(target, channel);
  if (!voice) return Fail(At(path, voice.error()));
  Result<Phone> to = Phone::Parse(target.to());
  if (!to) return Fail(At(path, to.error()));
  const bool sms = channel == v1::CHANNEL_SMS;
  return NormalizedTarget{
      .to = *std::move(to),
      .channel = channel,
      .text = Pii(given),
      .segment_count = sms ? static_cast<std::int32_t>(CountSegments(text).segments) : 0,
      .voice = *std::move(voice),
      .requested_sender_id = target.sender_id(),
      .path = path,
      .person = target.person()};
}

Result<std::vector<NormalizedTarget>> NormalizeTargets(const v1::EnqueueRequest& request,
                                                       const std::string& public_base_url) {
  TOCSIN_CHECK_OK(CheckExclusions(request));
  const v1::Plan& plan = request.plan();
  TOCSIN_CHECK_OK(CheckCounts(plan));
  std::vector<NormalizedTarget> targets;
  for (int i = 0; i < plan.steps_size(); ++i) {
    TOCSIN_TRY(const Micros wait, WaitOf(plan, i));
    for (int j = 0; j < plan.steps(i).targets_size(); ++j) {
      const std::string path = PathOfStep(i) + "targets[" + std::to_string(j) + "].";
      v1::Target target = plan.steps(i).targets(j);
      TOCSIN_CHECK_OK(CheckPerson(target.person(), path + "person"));
      if (target.to().empty()) {
        const auto number = EarlierNumber(targets, target.person());
        if (!number)
          return Invalid("is required: no earlier target of this person has a number", path + "to");
        target.set_to(*number);
      }
      TOCSIN_TRY(NormalizedTarget normalized,
                 NormalizeTarget(target, path, request.text(), public_base_url));
      normalized.plan_step = i + 1;
      normalized.wait = wait;
      targets.push_back(std::move(normalized));
    }
  }
  return targets;
}

Result<NormalizedGoal> NormalizeGoal(const v1::Goal& goal,
                                     const std::vector<NormalizedTarget>& targets) {
  NormalizedGoal normalized;
  if (goal.reach() != v1::REACH_UNSPECIFIED) normalized.reach = goal.reach();
  if (normalized.reach != v1::REACH_DELIVERED && normalized.reach != v1::REACH_HUMAN &&
      normalized.reach != v1::REACH_ACKNOWLEDGED)
    return Invalid("must be REACH_DELIVERED, REACH_HUMAN or REACH_ACKNOWLEDGED", "plan.goal.reach");
  if (goal.has_within() && normalized.reach == v1::REACH_DELIVERED)
    return Invalid("is only for REACH_HUMAN and REACH_ACKNOWLEDGED; use expire_time",
                   "plan.goal.within");
  if (goal.has_within()) {
    TOCSIN_TRY(normalized.within, DurationOf(goal.within(), "plan.goal.within"));
  }
  if (normalized.reach != v1::REACH_ACKNOWLEDGED) {
    if (goal.person_count() == 0) return normalized;
    return Invalid("is only for REACH_ACKNOWLEDGED", "plan.goal.person_count");
  }
  std::set<std::string> persons;
  for (const NormalizedTarget& target : targets) persons.insert(target.person);
  normalized.person_count = std::max(goal.person_count(), 1);
  if (goal.person_count() < 0 || static_cast<size_t>(normalized.person_count) > persons.size())
    return Invalid(
        "must be 1 to " + std::to_string(persons.size()) + ", the number of persons in the plan",
        "plan.goal.person_count");
  return normalized;
}

Result<std::optional<WallTime>> DeadlineOf(const NormalizedGoal& goal,
                                           const std::vector<NormalizedTarget>& targets,
                                           WallTime begin, WallTime expire_time) {
  WallTime start = begin;
  std::int32_t plan_step = 1;
  for (const NormalizedTarget& target : targets) {
    if (target.plan_step != plan_step) start += target.wait;
    plan_step = target.plan_step;
    if (start >= expire_time)
      return Invalid("starts after expire_time; shorten the waits or choose a later expire_time",
                     PathOfStep(plan_step - 1) + "wait_duration");
  }
  if (goal.reach == v1::REACH_DELIVERED) return std::optional<WallTime>();
  if (!goal.within) return std::optional(expire_time);
  if (begin + *goal.within > expire_time)
    return Invalid("ends after expire_time; shorten it or choose a later expire_time",
                   "plan.goal.within");
  return std::optional(begin + *goal.within);
}

}  // namespace tocsin::ingress
