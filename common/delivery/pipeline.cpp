#include "common/delivery/pipeline.h"

#include <utility>

#include "common/base/failpoint.h"
#include "common/delivery/outgoing.h"
#include "common/domain/ids.h"

namespace tocsin {
namespace {

// What a dead letter keeps of a record it cannot read; with it, it still fits into a message.
constexpr size_t kMaxUnparsed = 900'000;

// How long work waits whose claims are still being restored, before it asks again.
constexpr Micros kUntilKnown = std::chrono::seconds(2);

// Of the time before a POST must begin, what is left when the log was asked.
constexpr Micros kAfterLog = std::chrono::milliseconds(500);

// How long a lapsed claim waits while others are looked up.
constexpr Micros kUntilLookedUp = std::chrono::seconds(1);

// A turn this near is taken at once: a trip through the relay costs more.
constexpr Micros kAtOnce = std::chrono::milliseconds(20);

bool IsEmergency(const v1::WorkRecord& work) { return work.class_() == v1::ALERT_CLASS_EMERGENCY; }

// What a failpoint makes of a publish.
Result<std::vector<v1::Position>> NotPublished() {
  return Fail(ErrorCode::kOutcomeUnknown, "a failpoint");
}

Passage PassageOf(const v1::Receipt& receipt) {
  if (receipt.settled_by() == kByCallback) return Passage::kSettledByCallback;
  if (receipt.settled_by() == kByList) return Passage::kSettledByList;
  if (receipt.settled_by() == kByPolicy) return Passage::kSettledByPolicy;
  switch (receipt.outcome()) {
    case v1::RECEIPT_OUTCOME_ACCEPTED: return Passage::kSent;
    case v1::RECEIPT_OUTCOME_IN_DOUBT: return Passage::kInDoubt;
    case v1::RECEIPT_OUTCOME_ENDED: return Passage::kEnded;
    default: return Passage::kFailed;
  }
}

}  // namespace

std::string_view NameOf(Passage passage) {
  switch (passage) {  // no default: -Wswitch asks for a missing row
    case Passage::kSent: return "sent";
    case Passage::kFailed: return "failed";
    case Passage::kInDoubt: return "in_doubt";
    case Passage::kEnded: return "ended";
    case Passage::kWaits: return "waits";
    case Passage::kUnreadable: return "unreadable";
    case Passage::kLooksAgain: return "looks_again";
    case Passage::kSettledByCallback: return "settled_by_callback";
    case Passage::kSettledByList: return "settled_by_list";
    case Passage::kSettledByPolicy: return "settled_by_policy";
    case Passage::kNoted: return "noted";
  }
  return "unknown";
}

struct DeliveryPipeline::Try {
  const IncomingRecord& record;
  v1::WorkRecord work;
  std::shared_ptr<const RegistrySnapshot> registry;  // one snapshot for the whole passage
};

DeliveryPipeline::DeliveryPipeline(v1::Channel channel, Parts parts, DeliverySettings settings)
    : channel_(channel),
      parts_(parts),
      settings_(std::move(settings)),
      look_({parts.clock, parts.claims, parts.vault, parts.list, settings_.list_failed},
            settings_.retry.doubt),
      claims_({parts.clock, parts.claims, parts.log, parts.history, parts.topics}, settings_.owner,
              settings_.lease) {}

Result<Passage> DeliveryPipeline::Deliver(const IncomingRecord& record) {
  Try attempt{record, {}, parts_.registry.Now()};
  if (!attempt.work.ParseFromString(record.value) || attempt.work.channel() != channel_)
    return BuryUnreadable(record);
  const bool is_try = attempt.work.kind() == v1::WORK_KIND_TRY;
  if (const auto unkept = unkept_.Find(TryText(attempt.work.try_())); unkept && is_try)
    return RecordUnkept(attempt, *unkept);
  const bool may_go_by_log = is_try && IsEmergency(attempt.work);
  if (!claims_.Knows(attempt.work) && !may_go_by_log)
    return Wait(attempt, parts_.clock.Now() + kUntilKnown);
  if (attempt.work.kind() == v1::WORK_KIND_SETTLE) return Look(attempt);
  if (!is_try) return BuryUnreadable(record);
  const Clearance clearance =
      Clear(attempt.work, *attempt.registry, parts_.consents, parts_.clock.Now());
  if (const auto* not_yet = std::get_if<NotYet>(&clearance)) return Wait(attempt, not_yet->due);
  if (const auto* verdict = std::get_if<v1::Receipt>(&clearance)) return End(attempt, *verdict);
  return Send(attempt, std::get<ClearedTry>(clearance));
}

Result<Passage> DeliveryPipeline::BuryUnreadable(const IncomingRecord& record) {
  v1::DeadRecord dead;
  dead.set_reason(std::string(TraitsOf(ErrorCode::kCorrupt).name));
  dead.set_explanation("not a work record of this channel");
  *dead.mutable_position() = record.position;
  dead.set_time_us(ToUnixMicros(record.append_time));
  dead.set_unparsed(record.value.substr(0, kMaxUnparsed));
  std::vector<OutgoingRecord> records;
  records.push_back(RecordMaker(parts_.topics, record).Of(parts_.topics.Dead(channel_), dead));
  TOCSIN_CHECK_OK(parts_.log.PublishAndWait(std::move(records)));
  return Passage::kUnreadable;
}

Result<Passage> DeliveryPipeline::Wait(Try& attempt, WallTime due) {
  attempt.work.set_due_time_us(ToUnixMicros(due));
  attempt.work.clear_acceptance();  // audit folds it from the lane, once
  TOCSIN_CHECK_OK(PassOn(attempt, attempt.work));
  return Passage::kWaits;
}

Status DeliveryPipeline::PassOn(const Try& attempt, const v1::WorkRecord& next) {
  std::vector<OutgoingRecord> records;
  records.push_back(RecordMaker(parts_.topics, attempt.record).Of(next, parts_.clock.Now()));
  TOCSIN_CHECK_OK(parts_.log.PublishAndWait(std::move(records)));
  return {};
}

// A look that comes before its time, for the clocks of two workers differ, just looks early.
Result<Passage> DeliveryPipeline::Look(Try& attempt) {
  const Result<std::optional<v1::Receipt>> settled = look_.Look(attempt.work, *attempt.registry);
  if (!settled) return WaitForStore(attempt, settled.error());
  if (*settled) return Record(attempt, **settled);
  TOCSIN_CHECK_OK(PassOn(attempt, NextLook(attempt.work, settings_.retry.doubt)));
  return Passage::kLooksAgain;
}

// The verdict goes through the claim: an end takes effect only if the try was never begun.
Result<Passage> DeliveryPipeline::End(Try& attempt, const v1::Receipt& verdict) {
  if (!claims_.Knows(attempt.work)) return Wait(attempt, parts_.clock.Now() + kUntilKnown);
  const Result<Claim> claim = claims_.Take(attempt.work, attempt.record.value, verdict);
  if (!claim) return WaitForStore(attempt, claim.error());
  return FollowClaim(attempt, *claim);
}

// What cannot go without the store must not keep a sender from an emergency that can.
Result<Passage> DeliveryPipeline::WaitForStore(Try& attempt, const Error& error) {
  if (!claims_.IsAway(error) || !IsEmergency(attempt.work)) return Fail(error);
  return Wait(attempt, parts_.clock.Now() + kUntilKnown);
}

Result<Passage> DeliveryPipeline::Send(Try& attempt, const ClearedTry& cleared) {
  v1::WorkRecord& work = attempt.work;
  const Sender& sender = cleared.sender();
  const bool paced = IsEmergency(work) || work.slot().sender() == sender.id;
  if (!paced) {
    // Twilio counts segments of a sender, but calls of a whole account.
    const bool call = channel_ == v1::CHANNEL_VOICE;
    TOCSIN_TRY(const WallTime turn,
               parts_.pacer.TakeTurn(
                   call ? sender.account_sid : sender.id,
                   (call ? sender.calls_per_second : sender.segments_per_second) * settings_.pace,
                   call ? 1 : work.segments(), FromUnixMicros(work.not_after_us())));
    const WallTime now = parts_.clock.Now();
    if (turn >= FromUnixMicros(work.not_after_us()))
      return End(attempt, EndedBeforePost(v1::TRY_STATUS_EXPIRED, ErrorCode::kExpired, now));
    if (turn > now + kAtOnce) {
      work.mutable_slot()->set_sender(sender.id);
      work.mutable_slot()->set_account_sid(sender.account_sid);
      work.mutable_slot()->set_time_us(ToUnixMicros(turn));
      return Wait(attempt, turn);
    }
  }
  const SealContext context{work.client_id(), work.try_().alert_id(), kContentField};
  const Result<Pii> opened = parts_.vault.Open(context, work.key(), work.content());
  v1::Content content;
  if (!opened && opened.error().code == ErrorCode::kKmsUnavailable) return Fail(opened.error());
  if (!opened || !content.ParseFromString(opened->Reveal()))
    return End(attempt,
               EndedBeforePost(v1::TRY_STATUS_REJECTED, ErrorCode::kCorrupt, parts_.clock.Now()));
  return Begin(attempt, cleared, std::move(content));
}

Result<Passage> DeliveryPipeline::Begin(Try& attempt, const ClearedTry& cleared,
                                        v1::Content content) {
  const SteadyTime post_by = parts_.clock.SteadyNow() + settings_.lease - settings_.post_limit;
  TOCSIN_TRY(const Claim claim, claims_.TakeToSend(attempt.work, attempt.record.value));
  if (claim.state != Claim::State::kGranted) return FollowClaim(attempt, claim);
  if (TOCSIN_FAILS_AT("claim")) return Fail(ErrorCode::kRedisUnavailable, "failpoint");
  const Result<v1::Position> begun =
      claims_.TellBegin(attempt.record, attempt.work, cleared.sender(), claim);
  if (!begun) return GiveBack(attempt, claim, begun.error());
  if (claims_.LogMayKnowMore(attempt.record, attempt.work, claim)) {
    const Result<LogClaim> told = claims_.AskLog(attempt.work, claim, *begun, post_by - kAfterLog);
    if (!told && !claims_.StoreSuffices(claim)) return GiveBack(attempt, claim, told.error());
    if (told && told->verdict() != LogClaim::Verdict::kOurs)
      return FollowLog(attempt, claim, *told);
  }
  // The store and the log may have kept this thread waiting for long.
  if (parts_.clock.SteadyNow() > post_by ||
      parts_.clock.Now() >= FromUnixMicros(attempt.work.not_after_us()))
    return GiveBack(attempt, claim,
                    {ErrorCode::kOverloaded,
                     "the lease or the horizon was nearly over before the POST could begin"});
  return Post(attempt, cleared, claim, std::move(content));
}

Result<Passage> DeliveryPipeline::GiveBack(const Try& attempt, const Claim& claim, Error why) {
  TOCSIN_CHECK_OK(claims_.GiveBack(attempt.work, claim));
  return Fail(std::move(why));
}

// A claim of ours stays meanwhile, so that the store grants the try to nobody else; but when the
// other began, it is to know.
Result<Passage> DeliveryPipeline::FollowLog(Try& attempt, const Claim& claim,
                                            const LogClaim& told) {
  v1::Receipt receipt = told.receipt();
  if (told.verdict() == LogClaim::Verdict::kBegun) {
    if (!IsByLog(claim)) TOCSIN_CHECK_OK(claims_.TellStore(attempt.work, told));
    if (told.lease_until() > parts_.clock.Now()) return Wait(attempt, told.lease_until());
    receipt = DoubtOf(attempt, told.began());
  }
  if (!IsByLog(claim)) {
    TOCSIN_TRY(const v1::Receipt stands,
               parts_.claims.Keep(attempt.work.try_(), claim.fence, receipt));
    if (stands.outcome() != v1::RECEIPT_OUTCOME_UNSPECIFIED) receipt = stands;
  }
  return Record(attempt, receipt);
}

// What is known of the try already decides.
Result<Passage> DeliveryPipeline::FollowClaim(Try& attempt, const Claim& claim) {
  switch (claim.state) {
    case Claim::State::kGranted: break;  // cannot be: only a wish to send is granted
    case Claim::State::kDone:
    case Claim::State::kStopped: return Record(attempt, claim.receipt);
    case Claim::State::kBusy: return Wait(attempt, parts_.clock.Now() + claim.lease_left);
    case Claim::State::kLapsed: return FollowLapsed(attempt, claim);
  }
  return Fail(ErrorCode::kInternal, "a verdict was granted a POST");
}

// Its holder never said what came of it. One that died before it told of its begin made no POST.
// After a crash many lapse at once: a few are looked up at a time, the others keep no sender.
Result<Passage> DeliveryPipeline::FollowLapsed(Try& attempt, const Claim& claim) {
  if (!lookups_.try_acquire()) return Wait(attempt, parts_.clock.Now() + kUntilLookedUp);
  const Result<bool> begun = claims_.WasBegun(attempt.work, claim);
  lookups_.release();
  if (!begun) return Fail(begun.error());
  if (!*begun)
    return GiveBack(
        attempt, claim,
        {ErrorCode::kOverloaded, "the try was claimed and never begun; taking it anew"});
  TOCSIN_TRY(const v1::Receipt stands,
             parts_.claims.Keep(attempt.work.try_(), 0, DoubtOf(attempt, claim.began)));
  if (stands.outcome() == v1::RECEIPT_OUTCOME_UNSPECIFIED)  // its holder came back meanwhile
    return Fail(ErrorCode::kOverloaded, "the try changed hands; asking again");
  return Record(attempt, stands);
}

v1::Receipt DeliveryPipeline::DoubtOf(const Try& attempt, WallTime began) const {
  v1::Receipt doubt;
  doubt.set_outcome(v1::RECEIPT_OUTCOME_IN_DOUBT);
  doubt.set_reason(std::string(TraitsOf(ErrorCode::kInDoubt).name));
  doubt.set_began_us(ToUnixMicros(began));
  doubt.set_ended_us(ToUnixMicros(began + settings_.lease));
  if (const Sender* sender = attempt.registry->FindSender(attempt.work.sender())) {
    doubt.set_sender(sender->id);
    doubt.set_account_sid(sender->account_sid);
  }
  return doubt;
}

Result<Passage> DeliveryPipeline::Post(Try& attempt, const ClearedTry& cleared, const Claim& claim,
                                       v1::Content content) {
  const Dispatch dispatch{.name = attempt.work.try_(),
                          .to = Pii(std::move(*content.mutable_to())),
                          .text = Pii(std::move(*content.mutable_text())),
                          .account = cleared.account(),
                          .sender = cleared.sender(),
                          .work = attempt.record.position,
                          .validity = cleared.validity(),
                          .traceparent = attempt.record.Header(kHeaderTraceparent).value_or(""),
                          .spoken = attempt.work.spoken()};
  const WallTime began = parts_.clock.Now();
  v1::Receipt receipt =
      parts_.carrier.Send(dispatch, parts_.clock.SteadyNow() + settings_.post_limit);
  receipt.set_began_us(ToUnixMicros(began));
  receipt.set_ended_us(ToUnixMicros(parts_.clock.Now()));
  receipt.set_sender(cleared.sender().id);
  receipt.set_account_sid(cleared.sender().account_sid);
  TellHandedOver(attempt.work, receipt);
  const Result<v1::Receipt> kept = claims_.Keep(attempt.work, claim, receipt);
  if (!kept) return RecordUnkept(attempt, receipt);
  // With the claim taken over, the events still say what came of it.
  const bool stands = kept->outcome() != v1::RECEIPT_OUTCOME_UNSPECIFIED;
  return Record(attempt, stands ? *kept : receipt);
}

void DeliveryPipeline::TellHandedOver(const v1::WorkRecord& work,
                                      const v1::Receipt& receipt) const {
  if (receipt.outcome() != v1::RECEIPT_OUTCOME_ACCEPTED || work.try_().try_() != 1) return;
  const std::int64_t due_us =
      std::max({work.accepted_time_us(), work.send_at_us(), work.first_published_us()});
  settings_.handed_over(work.class_(), Micros(receipt.ended_us() - due_us));
}

Settlement DeliveryPipeline::SettlementOf(const Try& attempt, const v1::Receipt& receipt) const {
  const Sender* sender = attempt.registry->FindSender(attempt.work.sender());
  return Settle(attempt.work, receipt, settings_.retry,
                sender == nullptr ? std::string() : ConsentName(*sender));
}

Status DeliveryPipeline::PublishAll(const Try& attempt, const Settlement& settlement) {
  TOCSIN_CHECK_OK(parts_.log.PublishAndWait(
      RecordMaker(parts_.topics, attempt.record)
          .Of(settlement, channel_, attempt.record.position, parts_.clock.Now())));
  return {};
}

Result<Passage> DeliveryPipeline::Record(Try& attempt, const v1::Receipt& receipt) {
  return Publish(attempt, receipt, SettlementOf(attempt, receipt));
}

// Of an outcome that the store could not keep the event alone tells: it is on disk before the rest,
// and until then only this process knows.
Result<Passage> DeliveryPipeline::RecordUnkept(Try& attempt, const v1::Receipt& receipt) {
  const std::string name = TryText(attempt.work.try_());
  unkept_.Put(name, receipt);
  Settlement settlement = SettlementOf(attempt, receipt);
  Settlement first;
  first.events = std::exchange(settlement.events, {});
  TOCSIN_CHECK_OK(PublishAll(attempt, first));
  TOCSIN_TRY(const Passage passage, Publish(attempt, receipt, settlement));
  unkept_.Forget(name);
  return passage;
}

// Everything the outcome demands. Must be repeated until it succeeds, never undone.
Result<Passage> DeliveryPipeline::Publish(Try& attempt, const v1::Receipt& receipt,
                                          const Settlement& settlement) {
  if (settlement.consent)
    parts_.consents.Apply(*settlement.consent);  // here at once; elsewhere by the topic
  if (TOCSIN_FAILS_AT("outcome_produce")) return Fail(NotPublished().error());
  TOCSIN_CHECK_OK(PublishAll(attempt, settlement));
  if (TOCSIN_FAILS_AT("outcome_report")) return Fail(NotPublished().error());
  return PassageOf(receipt);
}

}  // namespace tocsin
