#include "tests/model/ports.h"

#include <optional>
#include <utility>

#include "common/domain/ids.h"
#include "tests/fakes/carrier.h"
#include "tests/model/fiber.h"
#include "tests/model/world.h"

namespace tocsin::model {
namespace {

using namespace std::chrono_literals;

constexpr Micros kHop = 400us;  // one way to a store
constexpr Micros kStoreLimit = 1s;
constexpr Micros kSoonCopy = 300ms;
constexpr Micros kLatestCopy = 60s;
constexpr Micros kListLag = 5s;
constexpr Micros kShortestTimeout = 50ms;
constexpr Micros kLongestTimeout = 40s;  // longer than a lease

}  // namespace

// --- The log ------------------------------------------------------------------------------------

LogPort::Fate LogPort::Draw() {
  Fate fate{true, {PublishOutcome::kPersisted, {}, {}}, world_.dice.Between(500us, 3ms)};
  if (world_.Strikes(world_.faults.publish_lost)) {
    fate.written = false;
    fate.report.outcome = PublishOutcome::kNotPersisted;
  } else if (world_.Strikes(world_.faults.publish_unknown)) {
    fate.written = world_.dice.Chance(0.5);
    fate.report.outcome = PublishOutcome::kUnknown;
  }
  if (fate.report.outcome != PublishOutcome::kPersisted) {
    fate.report.why = "the log does not answer";
    fate.takes = world_.dice.Between(kShortestTimeout, kLongestTimeout);
  }
  return fate;
}

void LogPort::Publish(OutgoingRecord record, std::function<void(const PublishReport&)> report) {
  host_.MayFail();
  if (Fiber::Current() == nullptr) return PublishLater(std::move(record), std::move(report));
  world_.SpoilFollowUp(record);
  Fate fate = Draw();
  if (world_.bug == Bug::kNoAwaitedReport) {
    if (fate.written)
      host_.Later(fate.takes, [this, record = std::move(record)] { world_.broker.Append(record); });
    return report({PublishOutcome::kPersisted, {}, {}});
  }
  host_.Sleep(fate.takes / 2);
  if (fate.written) fate.report.position = world_.broker.Append(record);
  host_.Sleep(fate.takes / 2);
  host_.MayFail();
  report(fate.report);
}

void LogPort::PublishLater(OutgoingRecord record,
                           std::function<void(const PublishReport&)> report) {
  const std::uint64_t number = number_++;
  awaited_.emplace(number, std::move(report));
  Fate fate = Draw();
  host_.Later(fate.takes, [this, number, fate, record = std::move(record)]() mutable {
    if (fate.written) fate.report.position = world_.broker.Append(record);
    auto awaited = awaited_.extract(number);
    awaited.mapped()(fate.report);
  });
}

void LogPort::Abandon() {
  while (!awaited_.empty())
    awaited_.extract(awaited_.begin()).mapped()({PublishOutcome::kUnknown, {}, "it ended"});
}

// --- The claims store ---------------------------------------------------------------------------

FakeClaims* ClaimsPort::Store() {
  if (!world_.exchanged) return &world_.store;
  return world_.bug == Bug::kNoEpoch ? &world_.stranger : nullptr;
}

// `repeated`: a call that the client library may send twice; its copy comes later.
template <typename Apply>
auto ClaimsPort::Ask(Apply apply, bool repeated) -> decltype(apply(std::declval<FakeClaims&>())) {
  host_.MayFail();
  host_.Sleep(kHop);
  FakeClaims* const store = Store();
  if (store == nullptr || world_.Strikes(world_.faults.store_silent)) {
    if (store != nullptr && world_.dice.Chance(0.5)) static_cast<void>(apply(*store));
    host_.Sleep(kStoreLimit);
    return Fail(ErrorCode::kRedisUnavailable, "the store does not answer");
  }
  auto result = apply(*store);
  if (repeated && world_.Strikes(world_.faults.store_late)) {
    const Micros latest = world_.dice.Chance(0.5) ? kSoonCopy : kLatestCopy;
    world_.timeline.After(world_.dice.Between(0us, latest),
                          [apply, store] { static_cast<void>(apply(*store)); });
  }
  host_.Sleep(kHop);
  host_.MayFail();
  return result;
}

Result<Claim> ClaimsPort::Take(const ClaimRequest& request) {
  const auto book = [&world = world_, name = request.name](const Claim& claim) {
    world.newest_fence[TryText(name)] = claim.fence;
    world.books.Granted(name);
    world.timeline.Tell(TryText(name) + " is granted");
  };
  // Booked when the store decides, as in Keep().
  auto claim = Ask(
      [request, book](FakeClaims& store) {
        auto taken = store.Take(request);
        if (taken && taken->state == Claim::State::kGranted) book(*taken);
        return taken;
      },
      false);
  const bool wish = !request.end;
  if (claim && wish && claim->state != Claim::State::kGranted &&
      (world_.bug == Bug::kNoClaim ||
       (world_.bug == Bug::kLeaseGrantsAgain && claim->state == Claim::State::kLapsed))) {
    claim->state = Claim::State::kGranted;
    claim->began = world_.timeline.Now();
    book(*claim);
  }
  return claim;
}

Status ClaimsPort::Release(const v1::TryName& name, std::uint64_t fence) {
  World& world = world_;
  return Ask(
      [&world, name, fence](FakeClaims& store) {
        return store.Release(
            name, world.bug == Bug::kNoFence ? world.newest_fence[TryText(name)] : fence);
      },
      true);
}

Result<v1::Receipt> ClaimsPort::Keep(const v1::TryName& name, std::uint64_t fence,
                                     const v1::Receipt& receipt) {
  if (world_.bug == Bug::kReceiptNotKept && fence != 0) {
    world_.books.Kept(name, receipt, receipt);
    return receipt;
  }
  // Booked when the store decides: the answer may reach a process that was stopped long after it
  // was overtaken.
  return Ask(
      [&world = world_, name, fence, receipt](FakeClaims& store) {
        auto stands = store.Keep(name, fence, receipt);
        if (stands) world.books.Kept(name, receipt, *stands);
        return stands;
      },
      true);
}

Result<std::optional<v1::Receipt>> ClaimsPort::Settle(const DoubtRequest& request) {
  return Ask([request](FakeClaims& store) { return store.Settle(request); }, false);
}

Result<std::optional<std::string>> ClaimsPort::Work(const v1::TryName& name) {
  return Ask([name](FakeClaims& store) { return store.Work(name); }, false);
}

Status ClaimsPort::Learn(const KnownTry& known) {
  return Ask([known](FakeClaims& store) { return store.Learn(known); }, false);
}

Result<WallTime> ClaimsPort::TakeTurn(const std::string& sender, double units_per_second,
                                      unsigned segments, WallTime latest) {
  World& world = world_;
  return Ask(
      [&world, sender, units_per_second, segments, latest](FakeClaims&) {
        return world.pacer.TakeTurn(sender, units_per_second, segments, latest);
      },
      false);
}

// --- The carrier --------------------------------------------------------------------------------

v1::Receipt CarrierPort::Doubt(const Dispatch& dispatch, bool taken) {
  if (taken) world_.carrier.Take(dispatch);
  if (world_.bug == Bug::kCarrierRepeats && taken)
    return FakeCarrier::Accepted(world_.carrier.Take(dispatch));
  v1::Receipt receipt =
      FakeCarrier::Of(world_.bug == Bug::kDoubtTakenForUnsent ? v1::RECEIPT_OUTCOME_NOT_SENT
                                                              : v1::RECEIPT_OUTCOME_IN_DOUBT);
  receipt.set_reason("IN_DOUBT");
  return receipt;
}

v1::Receipt CarrierPort::Send(const Dispatch& dispatch, SteadyTime deadline) {
  const Faults& faults = world_.faults;
  // From here on nobody looks at a clock: a stop may make any POST late.
  world_.books.PostBegins(dispatch.name);
  world_.timeline.Tell(TryText(dispatch.name) + " is POSTed");
  host_.MayFail();
  const auto limit = std::chrono::duration_cast<Micros>(deadline - world_.timeline.SteadyNow());
  const Micros way = world_.dice.Between(1ms, 200ms);
  if (world_.Strikes(faults.not_sent)) {
    host_.Sleep(way);
    return FakeCarrier::Of(v1::RECEIPT_OUTCOME_NOT_SENT);
  }
  host_.Sleep(way / 2);
  host_.MayFail();
  if (world_.Strikes(faults.reset_before)) return Doubt(dispatch, false);
  if (world_.Strikes(faults.reset_after)) return Doubt(dispatch, true);
  if (world_.Strikes(faults.timed_out)) {
    const v1::Receipt doubt = Doubt(dispatch, world_.dice.Chance(0.5));
    host_.Sleep(std::max(limit - way / 2, 0us));
    return doubt;
  }
  v1::Receipt receipt;
  if (world_.Strikes(faults.rate_limited)) {
    receipt = FakeCarrier::Of(v1::RECEIPT_OUTCOME_RATE_LIMITED, 20429);
    if (world_.dice.Chance(0.5)) {
      const Micros pause = world_.dice.Between(1s, 20s);
      receipt.set_retry_after_us(pause.count());
      world_.books.AskedToWait(dispatch.name.alert_id(), world_.timeline.Now() + pause);
    }
  } else if (world_.Strikes(faults.refused)) {
    constexpr std::array kCodes{21211, 21610, 20003, 30001, 21606};
    receipt =
        FakeCarrier::Of(v1::RECEIPT_OUTCOME_REFUSED, kCodes[world_.dice.Below(kCodes.size())]);
  } else {
    receipt = FakeCarrier::Accepted(world_.carrier.Take(dispatch));
  }
  host_.Sleep(way / 2);
  host_.MayFail();
  return receipt;
}

Result<std::vector<TakenEntry>> CarrierPort::ListTaken(const TakenQuery& query, SteadyTime) {
  host_.MayFail();
  host_.Sleep(world_.dice.Between(1ms, 500ms));
  if (world_.Strikes(world_.faults.list_unreadable))
    return Fail(ErrorCode::kTwilioApiError, "the list cannot be read");
  auto entries =
      world_.carrier.List(query, world_.Strikes(world_.faults.list_lags) ? kListLag : 0us);
  host_.MayFail();
  return entries;
}

// --- The log, read back -------------------------------------------------------------------------

Status HistoryPort::Read(const std::vector<std::string>&, WallTime,
                         const std::function<void(const IncomingRecord&)>&, std::stop_token) {
  return Fail(ErrorCode::kInternal, "the model does not restore claims");
}

Status HistoryPort::ReadTo(const v1::Position& last, WallTime, SteadyTime,
                           const std::function<void(const IncomingRecord&)>& fold) {
  host_.MayFail();
  host_.Sleep(kHop);
  const auto& records = world_.broker.At({last.topic(), last.partition()}).records;
  const std::int64_t first = world_.bug == Bug::kLogNotAsked ? last.offset() : 0;
  for (const IncomingRecord& record : records)
    if (record.position.offset() >= first && record.position.offset() <= last.offset())
      fold(record);
  return {};
}

Status HistoryPort::ReadKey(const std::string& topic, const std::string& key, WallTime, SteadyTime,
                            const std::function<void(const IncomingRecord&)>& fold) {
  host_.MayFail();
  host_.Sleep(kHop);
  if (world_.bug == Bug::kLapseNotLookedUp) return {};
  const auto& records = world_.broker.At({topic, Broker::PartitionOf(key)}).records;
  for (const IncomingRecord& record : records) fold(record);
  return {};
}

Result<std::optional<IncomingRecord>> HistoryPort::At(const v1::Position& position) {
  host_.MayFail();
  host_.Sleep(kHop);
  const auto& records = world_.broker.At({position.topic(), position.partition()}).records;
  const auto offset = static_cast<size_t>(position.offset());
  if (offset >= records.size()) return std::optional<IncomingRecord>();
  return std::optional(records[offset]);
}

}  // namespace tocsin::model
