#include "tests/model/ports.h"

#include <array>
#include <optional>
#include <utility>

#include "common/domain/alert/ids.h"
#include "tests/fakes/provider.h"
#include "tests/model/fiber.h"
#include "tests/model/simulation.h"

namespace tocsin::model {
namespace {

using namespace std::chrono_literals;

constexpr Micros kStoreLatency = 400us;  // one way
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

void LogPort::Publish(OutgoingRecord record, std::function<void(const PublishReport&)> report) {
  host_.MayFail();
  if (Fiber::Current() == nullptr) return PublishLater(std::move(record), std::move(report));
  simulation_.ApplyRetryBug(record);
  Fate fate = Draw();
  if (simulation_.bug == Bug::kNoAwaitedReport) {
    if (fate.written)
      host_.Later(fate.duration,
                  [this, record = std::move(record)] { simulation_.broker.Append(record); });
    return report({PublishOutcome::kPersisted, {}, {}});
  }
  host_.Sleep(fate.duration / 2);
  if (fate.written) fate.report.position = simulation_.broker.Append(record);
  host_.Sleep(fate.duration / 2);
  host_.MayFail();
  report(fate.report);
}

void LogPort::PublishLater(OutgoingRecord record,
                           std::function<void(const PublishReport&)> report) {
  const std::uint64_t number = number_++;
  pending_.emplace(number, std::move(report));
  Fate fate = Draw();
  host_.Later(fate.duration, [this, number, fate, record = std::move(record)]() mutable {
    if (fate.written) fate.report.position = simulation_.broker.Append(record);
    auto pending = pending_.extract(number);
    pending.mapped()(fate.report);
  });
}

void LogPort::Abandon() {
  while (!pending_.empty())
    pending_.extract(pending_.begin())
        .mapped()({PublishOutcome::kUnknown, {}, "the process crashed"});
}

// --- Claim store --------------------------------------------------------------------------------

FakeClaims* ClaimsPort::Store() {
  if (!simulation_.store_replaced) return &simulation_.store;
  return simulation_.bug == Bug::kNoEpoch ? &simulation_.other_store : nullptr;
}

// `may_repeat`: the client library may send the request twice; the copy is executed later.
template <typename Apply>
auto ClaimsPort::Request(Apply apply, bool may_repeat)
    -> decltype(apply(std::declval<FakeClaims&>())) {
  host_.MayFail();
  host_.Sleep(kStoreLatency);
  FakeClaims* const store = Store();
  if (store == nullptr || simulation_.Occurs(simulation_.faults.store_silent)) {
    if (store != nullptr && simulation_.dice.Chance(0.5)) static_cast<void>(apply(*store));
    host_.Sleep(kStoreTimeout);
    return Fail(ErrorCode::kRedisUnavailable, "the store does not respond");
  }
  auto result = apply(*store);
  if (may_repeat && simulation_.Occurs(simulation_.faults.store_late)) {
    const Micros latest = simulation_.dice.Chance(0.5) ? kSoonCopy : kLatestCopy;
    simulation_.timeline.After(simulation_.dice.Between(0us, latest),
                               [apply, store] { static_cast<void>(apply(*store)); });
  }
  host_.Sleep(kStoreLatency);
  host_.MayFail();
  return result;
}

// The checker is notified when the store decides: the reply may reach a frozen process much later.
Result<ClaimReply> ClaimsPort::Claim(const ClaimRequest& request) {
  const auto report = [&simulation = simulation_,
                       attempt = request.attempt](const ClaimReply& claim) {
    simulation.newest_fence[AttemptText(attempt)] = claim.fence;
    simulation.checker.Granted(attempt);
    simulation.timeline.Trace(AttemptText(attempt) + " is granted");
  };
  auto claim = Request(
      [request, report](FakeClaims& store) {
        auto reply = store.Claim(request);
        if (reply && reply->state == ClaimReply::State::kGranted) report(*reply);
        return reply;
      },
      false);
  const bool granted_by_bug =
      simulation_.bug == Bug::kNoClaim || (simulation_.bug == Bug::kLapsedClaimGrantedAgain &&
                                           claim && claim->state == ClaimReply::State::kLapsed);
  if (claim && !request.not_attempted && claim->state != ClaimReply::State::kGranted &&
      granted_by_bug) {
    claim->state = ClaimReply::State::kGranted;
    claim->begin_time = simulation_.timeline.Now();
    report(*claim);
  }
  return claim;
}

Status ClaimsPort::Release(const v1::AttemptRef& attempt, std::uint64_t fence) {
  return Request(
      [&simulation = simulation_, attempt, fence](FakeClaims& store) {
        const bool no_fence = simulation.bug == Bug::kNoFence;
        return store.Release(attempt,
                             no_fence ? simulation.newest_fence[AttemptText(attempt)] : fence);
      },
      true);
}

Result<std::optional<records::v1::AttemptResult>> ClaimsPort::SaveResult(
    const v1::AttemptRef& attempt, std::uint64_t fence, const records::v1::AttemptResult& result) {
  if (simulation_.bug == Bug::kResultNotSaved && fence != kNoFence) {
    simulation_.checker.Saved(attempt, result, result);
    return std::optional(result);
  }
  return Request(
      [&simulation = simulation_, attempt, fence, result](FakeClaims& store) {
        auto stored = store.SaveResult(attempt, fence, result);
        if (stored) simulation.checker.Saved(attempt, result, *stored);
        return stored;
      },
      true);
}

Result<std::optional<records::v1::AttemptResult>> ClaimsPort::Resolve(
    const ResolveRequest& request) {
  return Request([request](FakeClaims& store) { return store.Resolve(request); }, false);
}

Status ClaimsPort::Sync(const KnownAttempt& known) {
  return Request([known](FakeClaims& store) { return store.Sync(known); }, false);
}

Result<std::optional<std::string>> ClaimsPort::FindWork(const v1::AttemptRef& attempt) {
  return Request([attempt](FakeClaims& store) { return store.FindWork(attempt); }, false);
}

Result<WallTime> ClaimsPort::Reserve(const std::string& key, double units_per_second,
                                     std::int32_t units, WallTime latest) {
  return Request(
      [&simulation = simulation_, key, units_per_second, units, latest](FakeClaims&) {
        return simulation.pacer.Reserve(key, units_per_second, units, latest);
      },
      false);
}

// --- Provider -----------------------------------------------------------------------------------

records::v1::AttemptResult ProviderPort::InDoubt(const Dispatch& dispatch, bool accepted) {
  if (accepted) simulation_.provider.Accept(dispatch);
  if (simulation_.bug == Bug::kProviderPostsTwice && accepted)
    return FakeProvider::Accepted(simulation_.provider.Accept(dispatch));
  records::v1::AttemptResult result = FakeProvider::Of(
      simulation_.bug == Bug::kInDoubtReportedAsNotSent ? records::v1::ATTEMPT_OUTCOME_NOT_SENT
                                                        : records::v1::ATTEMPT_OUTCOME_IN_DOUBT);
  result.set_reason("IN_DOUBT");
  return result;
}

records::v1::AttemptResult ProviderPort::Send(const Dispatch& dispatch, SteadyTime deadline) {
  const Faults& faults = simulation_.faults;
  // From here on no clock is read: a freeze may delay any POST.
  simulation_.checker.PostStarted(dispatch.attempt);
  simulation_.timeline.Trace(AttemptText(dispatch.attempt) + " is POSTed");
  host_.MayFail();
  const auto timeout =
      std::chrono::duration_cast<Micros>(deadline - simulation_.timeline.SteadyNow());
  const Micros latency = simulation_.dice.Between(1ms, 200ms);
  if (simulation_.Occurs(faults.not_sent)) {
    host_.Sleep(latency);
    return FakeProvider::Of(records::v1::ATTEMPT_OUTCOME_NOT_SENT);
  }
  host_.Sleep(latency / 2);
  host_.MayFail();
  if (simulation_.Occurs(faults.reset_before)) return InDoubt(dispatch, false);
  if (simulation_.Occurs(faults.reset_after)) return InDoubt(dispatch, true);
  if (simulation_.Occurs(faults.timed_out)) {
    const records::v1::AttemptResult result = InDoubt(dispatch, simulation_.dice.Chance(0.5));
    host_.Sleep(std::max(timeout - latency / 2, 0us));
    return result;
  }
  records::v1::AttemptResult result;
  if (simulation_.Occurs(faults.rate_limited)) {
    result = FakeProvider::Of(records::v1::ATTEMPT_OUTCOME_RATE_LIMITED);
    result.set_provider_code(20429);
    result.set_error_class(records::v1::PROVIDER_ERROR_CLASS_RATE_LIMIT_BEFORE);
    if (simulation_.dice.Chance(0.5)) {
      const Micros pause = simulation_.dice.Between(1s, 20s);
      result.set_retry_after_us(pause.count());
      simulation_.checker.PauseRequested(dispatch.attempt.alert_id(),
                                         simulation_.timeline.Now() + pause);
    }
  } else if (simulation_.Occurs(faults.refused)) {
    result = FakeProvider::Refused(kRefusals[simulation_.dice.Below(kRefusals.size())], 1);
  } else {
    result = FakeProvider::Accepted(simulation_.provider.Accept(dispatch));
  }
  host_.Sleep(latency / 2);
  host_.MayFail();
  return result;
}

Result<std::vector<ProviderListEntry>> ProviderPort::List(const ProviderListQuery& query,
                                                          SteadyTime) {
  host_.MayFail();
  host_.Sleep(simulation_.dice.Between(1ms, 500ms));
  if (simulation_.Occurs(simulation_.faults.list_unavailable))
    return Fail(ErrorCode::kTwilioApiError, "the list is unavailable");
  // The lag of each reading is drawn: a later reading may show less than an earlier one.
  Micros lag = simulation_.dice.Between(0us, simulation_.faults.longest_list_lag);
  if (simulation_.Occurs(simulation_.faults.list_lags)) lag = std::max(lag, kListLag);
  auto entries = simulation_.provider.List(query, lag);
  host_.MayFail();
  return entries;
}

Result<bool> ProviderPort::ShowsRecipients(const Account&, SteadyTime) {
  host_.MayFail();
  host_.Sleep(simulation_.dice.Between(1ms, 500ms));
  if (simulation_.Occurs(simulation_.faults.list_unavailable))
    return Fail(ErrorCode::kTwilioApiError, "the list is unavailable");
  return true;
}

// --- History ------------------------------------------------------------------------------------

Status HistoryPort::Read(const std::vector<std::string>&, WallTime, const Handle&,
                         std::stop_token) {
  return Fail(ErrorCode::kInternal, "the simulation does not restore claims");
}

Status HistoryPort::ReadTo(const records::v1::Position& last, WallTime, SteadyTime,
                           const Handle& handle) {
  host_.MayFail();
  host_.Sleep(kStoreLatency);
  const auto& records = simulation_.broker.At({last.topic(), last.partition()}).records;
  const std::int64_t first = simulation_.bug == Bug::kLogNotRead ? last.offset() : 0;
  for (const IncomingRecord& record : records)
    if (record.position.offset() >= first && record.position.offset() <= last.offset())
      handle(record);
  return {};
}

Status HistoryPort::ReadKey(const std::string& topic, const std::string& key, WallTime, SteadyTime,
                            const Handle& handle) {
  host_.MayFail();
  host_.Sleep(kStoreLatency);
  if (simulation_.bug == Bug::kLapsedClaimNotChecked) return {};
  const auto& records = simulation_.broker.At({topic, Broker::PartitionOf(key)}).records;
  for (const IncomingRecord& record : records) handle(record);
  return {};
}

Result<std::optional<IncomingRecord>> HistoryPort::At(const records::v1::Position& position) {
  host_.MayFail();
  host_.Sleep(kStoreLatency);
  const auto& records = simulation_.broker.At({position.topic(), position.partition()}).records;
  const auto offset = static_cast<size_t>(position.offset());
  if (offset >= records.size()) return std::optional<IncomingRecord>();
  return std::optional(records[offset]);
}

}  // namespace tocsin::model
