#include "tests/model/ports.h"

#include <array>
#include <optional>
#include <utility>

#include "common/domain/alert/ids.h"
#include "common/domain/delivery/in_doubt.h"
#include "common/domain/plan/plan.h"
#include "tests/fakes/await.h"
#include "tests/fakes/provider.h"
#include "tests/model/simulation.h"

namespace tocsin::model {
namespace {

using namespace std::chrono_literals;

constexpr Micros kMinStoreLatency = 100us;  // one way
constexpr Micros kMaxStoreLatency = 2ms;
constexpr Micros kReadLatency = 400us;
constexpr Micros kStoreTimeout = 1s;
constexpr std::array kRefusals{
    records::v1::PROVIDER_ERROR_CLASS_PERMANENT_NUMBER, records::v1::PROVIDER_ERROR_CLASS_OPT_OUT,
    records::v1::PROVIDER_ERROR_CLASS_ACCOUNT, records::v1::PROVIDER_ERROR_CLASS_RATE_LIMIT_AFTER,
    records::v1::PROVIDER_ERROR_CLASS_SENDER_SETUP};
constexpr Micros kSoonCopy = 300ms;
constexpr Micros kLatestCopy = 60s;
constexpr Micros kListLag = 5s;
constexpr Micros kMinPublishFailure = 50ms;
constexpr Micros kMaxPublishFailure = 40s;  // longer than a lease

}  // namespace

// --- Log ----------------------------------------------------------------------------------------

LogPort::Fate LogPort::Draw() {
  Fate fate{true, {PublishOutcome::kPersisted, {}, {}}, simulation_.dice.Between(500us, 3ms)};
  if (simulation_.Occurs(simulation_.faults.publish_lost)) {
    fate.written = false;
    fate.report.outcome = PublishOutcome::kNotPersisted;
  } else if (simulation_.Occurs(simulation_.faults.publish_unknown)) {
    fate.written = simulation_.dice.Chance(0.5);
    fate.report.outcome = PublishOutcome::kUnknown;
  }
  if (fate.report.outcome != PublishOutcome::kPersisted) {
    fate.report.error = "the log does not respond";
    fate.duration = simulation_.dice.Between(kMinPublishFailure, kMaxPublishFailure);
  }
  return fate;
}

bool LogPort::AwaitsReport() const {
  return !(publisher_ == Publisher::kPipeline && simulation_.bug == Bug::kNoAwaitedReport) &&
         !(publisher_ == Publisher::kIngress && simulation_.bug == Bug::kConfirmedBeforePublished);
}

void LogPort::Publish(OutgoingRecord record, std::function<void(const PublishReport&)> report) {
  if (host_.Crashes()) return;
  if (publisher_ == Publisher::kPipeline) simulation_.ApplyRetryBug(record);
  if (simulation_.IsLostByBug(record))
    return host_.Later(0us, [report] { report({PublishOutcome::kPersisted, {}, {}}); });
  Fate fate = Draw();
  if (!AwaitsReport()) {
    if (fate.written)
      host_.Later(fate.duration,
                  [this, record = std::move(record)] { simulation_.broker.Append(record); });
    return host_.Later(0us, [report] { report({PublishOutcome::kPersisted, {}, {}}); });
  }
  host_.Later(fate.duration / 2, [this, fate, report, record = std::move(record)]() mutable {
    if (fate.written) fate.report.position = simulation_.broker.Append(record);
    host_.Later(fate.duration / 2, [this, fate, report] {
      if (!host_.Crashes()) report(fate.report);
    });
  });
}

// --- Claim store --------------------------------------------------------------------------------

// Drawn, so that requests of deliveries in progress overtake each other.
Micros ClaimsPort::StoreLatency() {
  return simulation_.dice.Between(kMinStoreLatency, kMaxStoreLatency);
}

FakeClaims* ClaimsPort::Store() {
  if (!simulation_.store_replaced) return &simulation_.store;
  return simulation_.bug == Bug::kNoEpoch ? &simulation_.other_store : nullptr;
}

// `may_repeat`: the client library may send the request twice; the copy is executed later.
template <typename Apply>
auto ClaimsPort::Request(Apply apply, bool may_repeat)
    -> decltype(apply(std::declval<FakeClaims&>())) {
  co_await host_.MayFail();
  co_await host_.Sleep(StoreLatency());
  FakeClaims* const store = Store();
  if (store == nullptr || simulation_.Occurs(simulation_.faults.store_silent)) {
    if (store != nullptr && simulation_.dice.Chance(0.5)) static_cast<void>(co_await apply(*store));
    co_await host_.Sleep(kStoreTimeout);
    co_return Fail(ErrorCode::kRedisUnavailable, "the store does not respond");
  }
  auto result = co_await apply(*store);
  if (may_repeat && simulation_.Occurs(simulation_.faults.store_late)) {
    const Micros latest = simulation_.dice.Chance(0.5) ? kSoonCopy : kLatestCopy;
    simulation_.timeline.After(simulation_.dice.Between(0us, latest),
                               [apply, store] { static_cast<void>(Await(apply(*store))); });
  }
  co_await host_.Sleep(StoreLatency());
  co_await host_.MayFail();
  co_return result;
}

// A claim that a planted bug grants.
bool ClaimsPort::GrantsByBug(const ClaimReply& claim) const {
  const auto stopped_by = [&](std::string_view reason) {
    return claim.state == ClaimReply::State::kStopped && claim.result->reason() == reason;
  };
  switch (simulation_.bug) {
    case Bug::kNoClaim: return true;
    case Bug::kLapsedClaimGrantedAgain: return claim.state == ClaimReply::State::kLapsed;
    case Bug::kAcknowledgedCallGranted: return stopped_by(kAcknowledgedReason);
    case Bug::kPersonIgnored: return stopped_by(kPersonDoneReason);
    case Bug::kGoalIgnored: return stopped_by(kGoalReachedReason);
    case Bug::kStepStartsEarly: return claim.state == ClaimReply::State::kEarly;
    default: return false;
  }
}

// The checker is notified when the store decides: the reply may reach a frozen process much later.
Task<Result<ClaimReply>> ClaimsPort::Claim(const ClaimRequest& request) {
  const auto report = [&simulation = simulation_,
                       attempt = request.attempt](const ClaimReply& claim) {
    simulation.newest_fence[AttemptText(attempt)] = claim.fence;
    simulation.checker.Granted(attempt);
    simulation.timeline.Trace(AttemptText(attempt) + " is granted");
  };
  const auto apply = [request, report,
                      &simulation = simulation_](FakeClaims& store) -> Task<Result<ClaimReply>> {
    auto reply = co_await store.Claim(request);
    if (reply && reply->state == ClaimReply::State::kGranted) report(*reply);
    if (reply && reply->result &&
        reply->result->outcome() == records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED)
      simulation.checker.plans.NotAttempted(request.attempt);
    if (reply && reply->state == ClaimReply::State::kGranted &&
        simulation.bug == Bug::kFailureFollowsStart)
      static_cast<void>(
          co_await store.NoteTargetFailed(request.attempt, {}, simulation.timeline.Now()));
    co_return reply;
  };
  auto claim = co_await Request(apply, false);
  if (claim && !request.not_attempted && claim->state != ClaimReply::State::kGranted &&
      GrantsByBug(*claim)) {
    claim->state = ClaimReply::State::kGranted;
    claim->begin_time = simulation_.timeline.Now();
    report(*claim);
  }
  co_return claim;
}

Task<Status> ClaimsPort::Release(const v1::AttemptRef& attempt, std::uint64_t fence) {
  const auto apply = [&simulation = simulation_, attempt, fence](FakeClaims& store) {
    const bool no_fence = simulation.bug == Bug::kNoFence;
    return store.Release(attempt, no_fence ? simulation.newest_fence[AttemptText(attempt)] : fence);
  };
  co_return co_await Request(apply, true);
}

Task<Result<std::optional<records::v1::AttemptResult>>> ClaimsPort::SaveResult(
    const v1::AttemptRef& attempt, std::uint64_t fence, const records::v1::AttemptResult& result) {
  if (simulation_.bug == Bug::kResultNotSaved && fence != kNoFence) {
    simulation_.checker.Saved(attempt, result, result);
    co_return std::optional(result);
  }
  records::v1::AttemptResult saved = result;
  if (simulation_.bug == Bug::kKeyNotSaved && WasAnsweredByPerson(result))
    saved.set_status(v1::ATTEMPT_STATUS_RINGING);
  const auto apply =
      [&simulation = simulation_, attempt, fence, result,
       saved](FakeClaims& store) -> Task<Result<std::optional<records::v1::AttemptResult>>> {
    auto stored = co_await store.SaveResult(attempt, fence, saved);
    if (stored) simulation.checker.Saved(attempt, result, *stored);
    co_return stored;
  };
  auto reply = co_await Request(apply, true);
  if (!reply && fence == kNoFence) simulation_.checker.plans.CallbackNotSaved(attempt);
  co_return reply;
}

Task<Result<std::optional<records::v1::AttemptResult>>> ClaimsPort::Resolve(
    const ResolveRequest& request) {
  const auto apply = [request](FakeClaims& store) { return store.Resolve(request); };
  co_return co_await Request(apply, false);
}

Task<Status> ClaimsPort::Sync(const KnownAttempt& known) {
  const auto apply = [&simulation = simulation_, known](FakeClaims& store) -> Task<Status> {
    Status synced = co_await store.Sync(known);
    const std::string& alert_id = known.name.alert_id();
    if (synced && known.mark) simulation.checker.Marked(alert_id, *known.mark);
    if (synced && !known.mark) simulation.checker.plans.Reached(alert_id, known.result);
    co_return synced;
  };
  co_return co_await Request(apply, false);
}

Task<Result<std::optional<std::string>>> ClaimsPort::FindWork(const v1::AttemptRef& attempt) {
  const auto apply = [attempt](FakeClaims& store) { return store.FindWork(attempt); };
  co_return co_await Request(apply, false);
}

Task<Result<std::optional<WallTime>>> ClaimsPort::NoteUndelivered(const v1::AttemptRef& attempt,
                                                                  std::optional<WallTime> time) {
  const auto apply = [attempt, time](FakeClaims& store) {
    return store.NoteUndelivered(attempt, time);
  };
  auto first = co_await Request(apply, true);
  if (first && simulation_.bug == Bug::kEachReportDecides) co_return time;
  co_return first;
}

Task<Result<std::optional<WallTime>>> ClaimsPort::NoteTargetFailed(
    const v1::AttemptRef& attempt, const std::vector<std::int32_t>& last_targets, WallTime time) {
  const auto apply = [&simulation = simulation_, attempt, last_targets, time](FakeClaims& store) {
    simulation.checker.plans.TargetFailed(attempt);
    simulation.timeline.Trace(AttemptText(attempt) + " is the last of a failed target");
    return store.NoteTargetFailed(attempt, last_targets, time);
  };
  co_return co_await Request(apply, true);
}

Task<Result<PlanEnd>> ClaimsPort::EndPlan(const v1::AttemptRef& attempt, const PlanCondition& plan,
                                          WallTime deadline) {
  const auto apply = [&simulation = simulation_, attempt, plan,
                      deadline](FakeClaims& store) -> Task<Result<PlanEnd>> {
    auto end = co_await store.EndPlan(attempt, plan, deadline);
    if (end && simulation.bug == Bug::kGoalAlwaysMissed) *end = PlanEnd();
    if (end) simulation.checker.plans.Ended(attempt.alert_id(), end->state);
    co_return end;
  };
  co_return co_await Request(apply, true);
}

Task<Result<std::vector<records::v1::AttemptResult>>> ClaimsPort::FindCallsToEnd(
    const std::string& alert_id) {
  const auto apply = [alert_id](FakeClaims& store) { return store.FindCallsToEnd(alert_id); };
  auto calls = co_await Request(apply, true);
  if (calls && simulation_.bug == Bug::kEveryCallEnded)
    *calls = simulation_.provider.CallsOf(alert_id);
  co_return calls;
}

Task<Status> ClaimsPort::Ping() {
  co_await host_.Sleep(StoreLatency());
  if (Store() != nullptr && !simulation_.Occurs(simulation_.faults.store_silent))
    co_return Status();
  co_await host_.Sleep(kStoreTimeout);
  co_return Fail(ErrorCode::kRedisUnavailable, "the store does not respond");
}

Task<Result<WallTime>> ClaimsPort::Reserve(const std::string& key, double units_per_second,
                                           std::int32_t units, WallTime latest) {
  const auto apply = [&simulation = simulation_, key, units_per_second, units,
                      latest](FakeClaims&) {
    return simulation.pacer.Reserve(key, units_per_second, units, latest);
  };
  co_return co_await Request(apply, false);
}

// --- Provider -----------------------------------------------------------------------------------

records::v1::AttemptResult ProviderPort::InDoubt(const Dispatch& dispatch, bool accepted) {
  if (accepted) simulation_.provider.Accept(dispatch, channel_);
  if (simulation_.bug == Bug::kProviderPostsTwice && accepted)
    return FakeProvider::Accepted(simulation_.provider.Accept(dispatch, channel_));
  records::v1::AttemptResult result = FakeProvider::Of(
      simulation_.bug == Bug::kInDoubtReportedAsNotSent ? records::v1::ATTEMPT_OUTCOME_NOT_SENT
                                                        : records::v1::ATTEMPT_OUTCOME_IN_DOUBT);
  result.set_reason("IN_DOUBT");
  return result;
}

Task<records::v1::AttemptResult> ProviderPort::Send(const Dispatch& dispatch, SteadyTime deadline) {
  const Faults& faults = simulation_.faults;
  // From here on no clock is read: a freeze may delay any POST.
  simulation_.checker.PostStarted(dispatch.attempt, channel_);
  simulation_.timeline.Trace(AttemptText(dispatch.attempt) + " is POSTed");
  co_await host_.MayFail();
  const auto timeout =
      std::chrono::duration_cast<Micros>(deadline - simulation_.timeline.SteadyNow());
  const Micros latency = simulation_.dice.Between(1ms, 200ms);
  if (simulation_.Occurs(faults.not_sent)) {
    co_await host_.Sleep(latency);
    co_return FakeProvider::Of(records::v1::ATTEMPT_OUTCOME_NOT_SENT);
  }
  co_await host_.Sleep(latency / 2);
  co_await host_.MayFail();
  if (simulation_.Occurs(faults.reset_before)) co_return InDoubt(dispatch, false);
  if (simulation_.Occurs(faults.reset_after)) co_return InDoubt(dispatch, true);
  if (simulation_.Occurs(faults.timed_out)) {
    const records::v1::AttemptResult result = InDoubt(dispatch, simulation_.dice.Chance(0.5));
    co_await host_.Sleep(std::max(timeout - latency / 2, 0us));
    co_return result;
  }
  records::v1::AttemptResult result;
  if (simulation_.Occurs(faults.rate_limited)) {
    result = FakeProvider::Of(records::v1::ATTEMPT_OUTCOME_RATE_LIMITED);
    result.set_provider_code(20429);
    result.set_error_class(records::v1::PROVIDER_ERROR_CLASS_RATE_LIMIT_BEFORE);
    if (simulation_.dice.Chance(0.5)) {
      const Micros pause = simulation_.dice.Between(1s, 20s);
      result.set_retry_after_us(pause.count());
      simulation_.checker.PauseRequested(dispatch.attempt, simulation_.timeline.Now() + pause);
    }
  } else if (simulation_.Occurs(faults.refused)) {
    result = FakeProvider::Refused(kRefusals[simulation_.dice.Below(kRefusals.size())], 1);
  } else {
    result = FakeProvider::Accepted(simulation_.provider.Accept(dispatch, channel_));
  }
  co_await host_.Sleep(latency / 2);
  co_await host_.MayFail();
  co_return result;
}

Task<Result<std::vector<ProviderListEntry>>> ProviderPort::List(const ProviderListQuery& query,
                                                                SteadyTime) {
  co_await host_.MayFail();
  co_await host_.Sleep(simulation_.dice.Between(1ms, 500ms));
  if (simulation_.Occurs(simulation_.faults.list_unavailable))
    co_return Fail(ErrorCode::kTwilioApiError, "the list is unavailable");
  // The lag of each reading is drawn: a later reading may show less than an earlier one.
  Micros lag = simulation_.dice.Between(0us, simulation_.faults.longest_list_lag);
  if (simulation_.Occurs(simulation_.faults.list_lags)) lag = std::max(lag, kListLag);
  auto entries = simulation_.provider.List(query, channel_, lag);
  co_await host_.MayFail();
  co_return entries;
}

Task<Result<bool>> ProviderPort::ShowsRecipients(const Account&, SteadyTime) {
  co_await host_.MayFail();
  co_await host_.Sleep(simulation_.dice.Between(1ms, 500ms));
  if (simulation_.Occurs(simulation_.faults.list_unavailable))
    co_return Fail(ErrorCode::kTwilioApiError, "the list is unavailable");
  co_return channel_ == v1::CHANNEL_SMS;
}

Task<Status> ProviderPort::EndUnanswered(const Account&, const std::string& sid, SteadyTime) {
  co_await host_.MayFail();
  const Micros latency = simulation_.dice.Between(1ms, 200ms);
  co_await host_.Sleep(latency / 2);
  if (simulation_.Occurs(simulation_.faults.not_sent))
    co_return Fail(ErrorCode::kTwilioApiError, "the provider does not respond");
  simulation_.provider.EndUnanswered(sid);
  co_await host_.Sleep(latency / 2);
  co_await host_.MayFail();
  co_return Status();
}

// --- History ------------------------------------------------------------------------------------

Task<Result<std::vector<IncomingRecord>>> HistoryPort::ReadTo(std::string alert_id,
                                                              records::v1::Position last, WallTime,
                                                              SteadyTime) {
  co_await host_.MayFail();
  co_await host_.Sleep(kReadLatency);
  const auto& records = simulation_.broker.At({last.topic(), last.partition()}).records;
  const std::int64_t first = simulation_.bug == Bug::kLogNotRead ? last.offset() : 0;
  std::vector<IncomingRecord> found;
  for (const IncomingRecord& record : records)
    if (record.key == alert_id && record.position.offset() >= first &&
        record.position.offset() <= last.offset())
      found.push_back(record);
  co_return found;
}

Task<Result<std::vector<IncomingRecord>>> HistoryPort::ReadAll(std::string alert_id,
                                                               std::string topic, WallTime,
                                                               SteadyTime) {
  co_await host_.MayFail();
  co_await host_.Sleep(kReadLatency);
  std::vector<IncomingRecord> found;
  if (simulation_.bug == Bug::kLapsedClaimNotChecked) co_return found;
  for (const IncomingRecord& record :
       simulation_.broker.At({topic, Broker::PartitionOf(alert_id)}).records)
    if (record.key == alert_id) found.push_back(record);
  co_return found;
}

Task<Result<std::optional<IncomingRecord>>> HistoryPort::At(records::v1::Position position) {
  co_await host_.MayFail();
  co_await host_.Sleep(kReadLatency);
  const auto& records = simulation_.broker.At({position.topic(), position.partition()}).records;
  const auto offset = static_cast<size_t>(position.offset());
  if (offset >= records.size()) co_return std::optional<IncomingRecord>();
  co_return std::optional(records[offset]);
}

}  // namespace tocsin::model
