#include "common/domain/delivery/in_doubt.h"

#include <algorithm>
#include <array>

#include "common/base/error.h"
#include "common/domain/alert/alert_projection.h"
#include "common/domain/delivery/call_retry.h"

namespace tocsin {
namespace {

constexpr int kMaxDoublings = 20;

Micros TimeoutOf(const records::v1::WorkRecord& work, const InDoubtSchedule& schedule) {
  return work.priority() == v1::PRIORITY_EMERGENCY ? schedule.emergency_timeout
                                                   : schedule.default_timeout;
}

// Calling codes of countries whose numbers Twilio rewrites: it adds or removes a digit that
// distinguished mobile numbers (Mexico, Argentina, Brazil).
constexpr std::array<std::string_view, 3> kRewrittenNumbers{"+52", "+54", "+55"};

std::string NameOf(ErrorCode code) { return std::string(TraitsOf(code).name); }

Micros DelayOfLookup(int lookup_count, const InDoubtSchedule& schedule) {
  const int doublings = std::min(lookup_count + 1, kMaxDoublings);
  return schedule.initial_delay * ((std::int64_t{1} << doublings) - 1);
}

// Lookups are due 1, 3, 7, 15, ... times the initial delay after the attempt became in doubt. One
// of them is due when the list can first prove absence.
void SetDue(records::v1::WorkRecord& lookup, const InDoubtSchedule& schedule) {
  const int count = lookup.in_doubt().lookup_count();
  Micros after = DelayOfLookup(count, schedule);
  if (ResendsIfAbsent(lookup, schedule) && after > schedule.absence_delay &&
      (count == 0 || DelayOfLookup(count - 1, schedule) < schedule.absence_delay))
    after = schedule.absence_delay;
  const WallTime due = FromUnixMicros(lookup.in_doubt().begin_time_us()) + after;
  lookup.set_due_time_us(ToUnixMicros(std::min(due, PolicyTime(lookup, schedule))));
}

records::v1::AttemptResult ResultFor(const records::v1::WorkRecord& lookup,
                                     v1::ResolvedBy resolved_by) {
  records::v1::AttemptResult result;
  result.set_begin_time_us(lookup.in_doubt().post_time_us());
  result.set_sender_id(lookup.in_doubt().sender_id());
  result.set_account_sid(lookup.in_doubt().account_sid());
  result.set_resolved_by(resolved_by);
  return result;
}

}  // namespace

records::v1::WorkRecord FirstLookup(const records::v1::WorkRecord& work,
                                    const records::v1::AttemptResult& in_doubt,
                                    const InDoubtSchedule& schedule) {
  records::v1::WorkRecord lookup = work;
  lookup.set_kind(records::v1::WORK_KIND_RESOLVE);
  lookup.clear_rate_reservation();
  lookup.clear_acceptance();
  records::v1::InDoubtState& state = *lookup.mutable_in_doubt();
  state.set_begin_time_us(in_doubt.end_time_us());
  state.set_post_time_us(in_doubt.begin_time_us());
  state.set_account_sid(in_doubt.account_sid());
  state.set_sender_id(in_doubt.sender_id());
  state.set_lookup_count(0);
  state.set_reason(in_doubt.reason());
  SetDue(lookup, schedule);
  return lookup;
}

records::v1::WorkRecord NextLookup(const records::v1::WorkRecord& lookup,
                                   const InDoubtSchedule& schedule, bool read_list) {
  records::v1::WorkRecord next = lookup;
  records::v1::InDoubtState& state = *next.mutable_in_doubt();
  state.set_lookup_count(state.lookup_count() + 1);
  if (read_list) state.set_complete_read_count(state.complete_read_count() + 1);
  SetDue(next, schedule);
  return next;
}

bool ResendsIfAbsent(const records::v1::WorkRecord& lookup, const InDoubtSchedule& schedule) {
  return schedule.resend_absent && lookup.channel() == v1::CHANNEL_SMS &&
         lookup.in_doubt_policy() == v1::IN_DOUBT_POLICY_UNSPECIFIED && !Resends(lookup) &&
         lookup.in_doubt().begin_time_us() + schedule.absence_delay.count() <
             lookup.expire_time_us();
}

bool ProvesAbsence(const records::v1::WorkRecord& lookup, const InDoubtSchedule& schedule,
                   WallTime read_time) {
  const records::v1::InDoubtState& state = lookup.in_doubt();
  return ResendsIfAbsent(lookup, schedule) &&
         state.complete_read_count() + 1 >= kMinCompleteReads &&
         read_time >= FromUnixMicros(state.begin_time_us()) + schedule.absence_delay;
}

bool IsListedAsDialed(std::string_view e164) {
  return std::ranges::none_of(kRewrittenNumbers,
                              [e164](std::string_view code) { return e164.starts_with(code); });
}

WallTime PolicyTime(const records::v1::WorkRecord& lookup, const InDoubtSchedule& schedule) {
  Micros timeout = TimeoutOf(lookup, schedule);
  if (ResendsIfAbsent(lookup, schedule)) timeout = std::max(timeout, 2 * schedule.absence_delay);
  return FromUnixMicros(lookup.in_doubt().begin_time_us()) + timeout;
}

bool Resends(const records::v1::WorkRecord& work) {
  switch (work.in_doubt_policy()) {
    case v1::IN_DOUBT_POLICY_RESEND: return true;
    case v1::IN_DOUBT_POLICY_FAIL: return false;
    default: return work.priority() == v1::PRIORITY_EMERGENCY;
  }
}

std::string DuplicateKey(const records::v1::WorkRecord& work) {
  if (work.channel() == v1::CHANNEL_VOICE)
    return work.recipient().token() + "/call/" + work.sender_id();
  return work.recipient().token() + work.body_digest();
}

ListedTimes TimesToList(const records::v1::WorkRecord& lookup, WallTime now) {
  const records::v1::InDoubtState& in_doubt = lookup.in_doubt();
  const WallTime post_time = FromUnixMicros(in_doubt.post_time_us());
  const WallTime begin_time = FromUnixMicros(in_doubt.begin_time_us());
  if (lookup.channel() == v1::CHANNEL_VOICE)
    return {post_time - kProviderClockSkew, begin_time + kProviderClockSkew};
  return {post_time - kAbsenceMargin, std::max(now, begin_time) + kAbsenceMargin};
}

bool MayMatch(const records::v1::InDoubtState& in_doubt, WallTime created) {
  return created >= FromUnixMicros(in_doubt.post_time_us()) - kProviderClockSkew &&
         created <= FromUnixMicros(in_doubt.begin_time_us()) + kProviderClockSkew;
}

records::v1::AttemptResult FoundInList(const records::v1::WorkRecord& lookup,
                                       const std::string& sid, WallTime created) {
  records::v1::AttemptResult result = ResultFor(lookup, v1::RESOLVED_BY_LIST);
  result.set_outcome(records::v1::ATTEMPT_OUTCOME_ACCEPTED);
  result.set_provider_sid(sid);
  result.set_end_time_us(ToUnixMicros(created));
  return result;
}

records::v1::AttemptResult UnresolvedByPolicy(const records::v1::WorkRecord& lookup,
                                              WallTime policy_time) {
  records::v1::AttemptResult result = ResultFor(lookup, v1::RESOLVED_BY_POLICY);
  result.set_outcome(records::v1::ATTEMPT_OUTCOME_UNRESOLVED);
  result.set_status(v1::ATTEMPT_STATUS_FAILED);
  result.set_reason(NameOf(ErrorCode::kInDoubt));
  result.set_end_time_us(ToUnixMicros(policy_time));
  return result;
}

records::v1::AttemptResult AbsentFromList(const records::v1::WorkRecord& lookup,
                                          const InDoubtSchedule& schedule) {
  records::v1::AttemptResult result = ResultFor(lookup, v1::RESOLVED_BY_LIST_ABSENCE);
  result.set_outcome(records::v1::ATTEMPT_OUTCOME_UNRESOLVED);
  result.set_status(v1::ATTEMPT_STATUS_FAILED);
  result.set_reason(NameOf(ErrorCode::kNotReceived));
  // A time of the record, not of the reading: a repeated lookup gives the same result.
  result.set_end_time_us(std::max(
      lookup.in_doubt().begin_time_us() + schedule.absence_delay.count(), lookup.due_time_us()));
  return result;
}

records::v1::AttemptResult ProvenByCallback(const records::v1::WebhookRecord& webhook) {
  records::v1::AttemptResult result;
  result.set_outcome(records::v1::ATTEMPT_OUTCOME_ACCEPTED);
  result.set_provider_sid(webhook.provider_sid());
  result.set_account_sid(webhook.account_sid());
  result.set_end_time_us(webhook.receive_time_us());
  result.set_resolved_by(v1::RESOLVED_BY_CALLBACK);
  if (const std::optional<AlertEvent> alert_event = AlertEventOf(webhook)) {
    const bool machine = UnreachedBy(*alert_event) == v1::ATTEMPT_STATUS_ANSWERED_MACHINE;
    result.set_status(machine ? v1::ATTEMPT_STATUS_NO_ANSWER : alert_event->status);
    result.set_answered_by(alert_event->answered_by);
  }
  return result;
}

bool WasAnsweredByPerson(const records::v1::AttemptResult& result) {
  return result.resolved_by() == v1::RESOLVED_BY_CALLBACK &&
         (result.status() == v1::ATTEMPT_STATUS_ANSWERED_HUMAN ||
          result.answered_by() == v1::ANSWERED_BY_HUMAN);
}

bool IsUnresolved(const records::v1::AttemptResult& result) {
  return result.outcome() == records::v1::ATTEMPT_OUTCOME_UNRESOLVED;
}

records::v1::WorkRecord WithoutInDoubt(records::v1::WorkRecord work) {
  work.set_kind(records::v1::WORK_KIND_ATTEMPT);
  work.clear_in_doubt();
  work.clear_acceptance();
  return work;
}

Proof ProofOf(const records::v1::AttemptResult& result) {
  switch (result.outcome()) {
    case records::v1::ATTEMPT_OUTCOME_IN_DOUBT: return Proof::kInDoubt;
    case records::v1::ATTEMPT_OUTCOME_NOT_SENT: return Proof::kUnresolved;
    // Another worker may have started it by the order of the log meanwhile.
    case records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED: return Proof::kUnresolved;
    case records::v1::ATTEMPT_OUTCOME_UNRESOLVED: return Proof::kUnresolved;
    case records::v1::ATTEMPT_OUTCOME_ACCEPTED:
      if (WasAnsweredByPerson(result)) return Proof::kPerson;
      if (result.resolved_by() == v1::RESOLVED_BY_LIST) return Proof::kList;
      return result.resolved_by() == v1::RESOLVED_BY_CALLBACK ? Proof::kCallback : Proof::kResponse;
    default: return Proof::kCertain;
  }
}

}  // namespace tocsin
