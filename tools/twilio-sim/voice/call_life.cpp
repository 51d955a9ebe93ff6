// Exchange, from the queue to the answer, and the end.
#include <algorithm>
#include <array>
#include <utility>

#include "tools/twilio-sim/voice/call_resource.h"
#include "tools/twilio-sim/voice/exchange.h"

namespace tocsin::sim {
namespace {

constexpr int kCallbackRefused = 15003;  // a warning

constexpr int kSipOk = 200;
constexpr int kSipNotFound = 404;
constexpr int kSipBusy = 486;
constexpr int kSipTerminated = 487;
constexpr int kSipDecline = 603;

constexpr CallSeconds kHumanKnown{2};  // how long detection takes
constexpr CallSeconds kMachineKnown{4};
constexpr CallSeconds kDigitLasts{0.5};  // of SendDigits, each

// Status callbacks of a call keep their order; messages have the numbers without this bit.
constexpr std::uint64_t kCallOrder = 1ULL << 63;

}  // namespace

Micros Exchange::Lasts(CallSeconds seconds) const {
  return std::chrono::duration_cast<Micros>(
      seconds.count() * std::chrono::duration<double>(state_.messages.Speed().call_second));
}

void Exchange::Wake(const Call& call) {
  const auto nearest = state_.NextDue();
  state_.calls.Plan(call);
  const auto due = NextInstant(call);
  if (due && (!nearest || *due < *nearest)) state_.steps_ahead.notify_one();
}

void Exchange::Enter(Call& call, CallStatus status, WallTime at) {
  call.status = status;
  call.updated = at;
  call.reached[static_cast<size_t>(status)] = ToUnixMicros(at);
}

const Call& Exchange::Place(const CallDraft& draft, WallTime now) {
  Call& call = state_.calls.Add(draft, state_.phones.Next(draft.to), now);
  const std::string& account = state_.directory.Accounts()[draft.account].sid;
  const double jitter = 0.5 + state_.calls.Randomness().Unit(Purpose::kDelay, call.number);
  const auto ready =
      now + std::chrono::duration_cast<Micros>(state_.messages.Speed().queued * jitter);
  call.next_at = state_.queues.Reserve(account, 1, ready);
  Wake(call);
  return call;
}

void Exchange::Tell(Call& call, CallEvent event, WallTime at) {
  const auto bit = 1U << static_cast<unsigned>(event);
  if (call.asked.status_callback.url.empty() || (call.asked.events & bit) == 0) return;
  const FormFields form =
      CallEventForm(call, state_.calls.SidOf(call), state_.directory, event, at);
  auto webhook = webhooks_.Make(call.asked.account, call.asked.status_callback.url, form,
                                call.asked.status_callback.get);
  if (!webhook) return;
  const std::uint64_t step = call.told++;
  webhook->order = call.number | kCallOrder;
  webhook->token = IdempotencyToken(state_.calls.Randomness(), call.number, step);
  // Not `this`: the sending thread ends after it.
  webhook->done = [&state = state_, number = call.number, bit](const WebhookAnswer& answer) {
    const std::lock_guard lock(state.mutex);
    Call* const told = state.calls.Mutable(number);
    if (told == nullptr) return;
    if (answer.status / 100 == 2) told->acknowledged |= static_cast<std::uint8_t>(bit);
    if (answer.status >= 400) told->Note(kCallbackRefused);
  };
  webhooks_.PostStatus(*std::move(webhook), call.number | kCallOrder, step);
}

void Exchange::End(Call& call, CallStatus status, int sip, WallTime at) {
  if (call.Final()) return;
  const bool dialed = call.Reached(CallStatus::kInitiated);
  if (call.Reached(CallStatus::kInProgress)) {
    const std::chrono::duration<double> lasted = at - call.When(CallStatus::kInProgress);
    call.talked =
        CallSeconds(lasted / std::chrono::duration<double>(state_.messages.Speed().call_second));
  }
  Enter(call, status, at);
  call.sip = sip;
  call.talk.reset();
  call.next_at.reset();
  call.detected_at.reset();
  call.ends_at.reset();
  if (dialed) Tell(call, CallEvent::kCompleted, at);  // nobody hears of one canceled in the queue
}

void Exchange::Ring(Call& call, WallTime at) {
  Enter(call, CallStatus::kRinging, at);
  Tell(call, CallEvent::kRinging, at);
  const Micros patience = Lasts(call.asked.timeout);
  const bool waits = call.phone.pickup == Pickup::kNoAnswer || call.phone.pickup == Pickup::kByHand;
  call.next_at = at + (waits ? patience : std::min(Lasts(call.phone.ring), patience));
}

// The phone has rung as long as it does.
void Exchange::Step(Call& call, WallTime at) {
  call.next_at.reset();
  switch (call.status) {
    case CallStatus::kQueued:
      Enter(call, CallStatus::kInitiated, at);
      Tell(call, CallEvent::kInitiated, at);
      if (call.phone.pickup == Pickup::kUnreachable) {
        return End(call, CallStatus::kFailed, call.phone.sip.value_or(kSipNotFound), at);
      }
      call.next_at = at + state_.messages.Speed().sending;
      return;
    case CallStatus::kInitiated: return Ring(call, at);
    case CallStatus::kInProgress: return Talk(call, at);
    default: break;
  }
  const bool too_late = Lasts(call.phone.ring) > Lasts(call.asked.timeout);
  switch (too_late ? Pickup::kNoAnswer : call.phone.pickup) {
    case Pickup::kBusy: return End(call, CallStatus::kBusy, call.phone.sip.value_or(kSipBusy), at);
    case Pickup::kReject:
      return End(call, CallStatus::kBusy, call.phone.sip.value_or(kSipDecline), at);
    case Pickup::kNoAnswer:
    case Pickup::kByHand:
      return End(call, CallStatus::kNoAnswer, call.phone.sip.value_or(kSipTerminated), at);
    default: return Answer(call, at);
  }
}

void Exchange::Answer(Call& call, WallTime at) {
  Enter(call, CallStatus::kInProgress, at);
  call.talk.emplace();
  call.ends_at = at + Lasts(call.asked.time_limit);
  if (call.phone.hang_up) call.ends_at = std::min(*call.ends_at, at + Lasts(*call.phone.hang_up));
  const bool machine = call.phone.pickup == Pickup::kMachine;
  if (call.asked.detection != Detection::kOff) {
    CallSeconds takes = machine ? kMachineKnown : kHumanKnown;
    if (machine && call.asked.detection == Detection::kMessageEnd) takes = call.phone.greeting;
    call.detection_took = std::min(takes, call.asked.detection_timeout);
    call.detected_at = at + Lasts(call.detection_took);
  }
  call.Hear({.at = at, .kind = "answer", .text = std::string(NameOf(call.phone.pickup))});
  Tell(call, CallEvent::kAnswered, at);
  if (!call.asked.send_digits.empty()) {
    call.Hear({.at = at, .kind = "digits", .text = call.asked.send_digits});
  }
  const Micros dialing = Lasts(kDigitLasts * static_cast<double>(call.asked.send_digits.size()));
  const bool waits_for_detection = call.detected_at && !call.asked.async_detection;
  if (!waits_for_detection) call.next_at = at + dialing;
}

void Exchange::Detect(Call& call, WallTime at) {
  call.detected_at.reset();
  const bool to_the_end = call.asked.detection == Detection::kMessageEnd;
  const bool timed_out = call.detection_took >= call.asked.detection_timeout;
  switch (call.phone.pickup) {
    case Pickup::kMachine:
      call.answered_by = !to_the_end ? "machine_start" : "machine_end_" + call.phone.greeting_end;
      break;
    case Pickup::kFax: call.answered_by = "fax"; break;
    case Pickup::kUnknown: call.answered_by = "unknown"; break;
    default: call.answered_by = "human"; break;
  }
  if (timed_out) call.answered_by = "unknown";
  if (!call.asked.async_detection) return StartScript(call, at);
  if (call.asked.detection_callback.url.empty()) return;
  const auto milliseconds = static_cast<int>(call.detection_took.count() * 1000);
  auto webhook =
      webhooks_.Make(call.asked.account, call.asked.detection_callback.url,
                     {{"CallSid", state_.calls.SidOf(call)},
                      {"AccountSid", state_.directory.Accounts()[call.asked.account].sid},
                      {"AnsweredBy", call.answered_by},
                      {"MachineDetectionDuration", std::to_string(milliseconds)}},
                     call.asked.detection_callback.get);
  if (!webhook) return;
  constexpr std::uint64_t kStep = 1000;  // beside those of the status callbacks
  webhook->token = IdempotencyToken(state_.calls.Randomness(), call.number, kStep);
  webhooks_.Post(*std::move(webhook));
}

// Of several instants that have come, the nearest is taken; the others follow.
void Exchange::Look(Call& call, WallTime at) {
  if (call.ends_at && *call.ends_at <= at) {
    call.Hear({.at = at, .kind = "hangup"});
    return End(call, CallStatus::kCompleted, kSipOk, at);
  }
  if (call.detected_at && *call.detected_at <= at) Detect(call, at);
  if (call.next_at && *call.next_at <= at) Step(call, at);
}

void Exchange::Advance(WallTime now) {
  for (const ArrivedDocument& document : state_.calls.TakeArrived()) Receive(document, now);
  while (Call* const call = state_.calls.TakeDue(now)) {
    Look(*call, *NextInstant(*call));
    if (!call->Final()) state_.calls.Plan(*call);
  }
}

bool Exchange::PickUp(Call& call, WallTime now) {
  if (call.status != CallStatus::kRinging) return false;
  if (call.phone.pickup == Pickup::kByHand) call.phone.pickup = Pickup::kHuman;
  call.next_at.reset();
  Answer(call, now);
  Wake(call);
  return true;
}

bool Exchange::PutDown(Call& call, WallTime now) {
  if (call.status == CallStatus::kRinging) {
    End(call, CallStatus::kBusy, kSipDecline, now);
    return true;
  }
  return Complete(call, now);
}

bool Exchange::Cancel(Call& call, WallTime now) {
  if (call.Final()) return false;
  if (call.status != CallStatus::kInProgress) End(call, CallStatus::kCanceled, kSipTerminated, now);
  return true;
}

bool Exchange::Complete(Call& call, WallTime now) {
  if (call.status != CallStatus::kInProgress) return Cancel(call, now);
  call.Hear({.at = now, .kind = "hangup"});
  End(call, CallStatus::kCompleted, kSipOk, now);
  return true;
}

}  // namespace tocsin::sim
