// CallEngine: from the queue to the answer, and the end.
#include <algorithm>
#include <array>
#include <utility>

#include "tools/twilio-sim/voice/call_engine.h"
#include "tools/twilio-sim/voice/call_resource.h"

namespace tocsin::sim {
namespace {

constexpr int kCallbackError = 15003;  // a warning

constexpr int kSipOk = 200;
constexpr int kSipNotFound = 404;
constexpr int kSipBusy = 486;
constexpr int kSipTerminated = 487;
constexpr int kSipDecline = 603;

constexpr CallSeconds kHumanDetectionTime{2};  // duration of detection
constexpr CallSeconds kMachineDetectionTime{4};
constexpr CallSeconds kDigitDuration{0.5};  // of one digit of SendDigits

// Order of the status callbacks of a call. Messages do not have this bit.
constexpr std::uint64_t kCallOrder = 1ULL << 63;

}  // namespace

Micros CallEngine::RealTime(CallSeconds seconds) const {
  return std::chrono::duration_cast<Micros>(
      seconds.count() * std::chrono::duration<double>(state_.messages.timing().call_second));
}

void CallEngine::ScheduleNext(const Call& call) {
  const auto earliest = state_.NextDue();
  state_.calls.Schedule(call);
  const auto due = NextDueOf(call);
  if (due && (!earliest || *due < *earliest)) state_.earlier_step.notify_one();
}

void CallEngine::SetStatus(Call& call, CallStatus status, WallTime at) {
  call.status = status;
  call.updated = at;
  call.reached[static_cast<size_t>(status)] = ToUnixMicros(at);
}

const Call& CallEngine::Place(const CallDraft& draft, WallTime now) {
  Call& call = state_.calls.Add(draft, state_.phones.Next(draft.to), now);
  const std::string& account = state_.directory.Accounts()[draft.account].sid;
  const double jitter = 0.5 + state_.calls.Random().Unit(Purpose::kDelay, call.number);
  const auto ready =
      now + std::chrono::duration_cast<Micros>(state_.messages.timing().queued * jitter);
  call.next_at = state_.queues.Reserve(account, 1, ready);
  ScheduleNext(call);
  return call;
}

void CallEngine::PostEvent(Call& call, CallEvent event, WallTime at) {
  const auto bit = 1U << static_cast<unsigned>(event);
  if (call.request.status_callback.url.empty() || (call.request.events & bit) == 0) return;
  const FormFields form =
      CallEventForm(call, state_.calls.SidOf(call), state_.directory, event, at);
  auto webhook = webhooks_.MakeWebhook(call.request.account, call.request.status_callback.url, form,
                                       call.request.status_callback.get);
  if (!webhook) return;
  const std::uint64_t step = call.callback_count++;
  webhook->order = call.number | kCallOrder;
  webhook->token = IdempotencyToken(state_.calls.Random(), call.number, step);
  // Captures no `this`: the sending thread outlives it.
  webhook->done = [&state = state_, number = call.number, bit](const WebhookResponse& response) {
    const std::lock_guard lock(state.mutex);
    Call* const found = state.calls.Mutable(number);
    if (found == nullptr) return;
    if (response.status / 100 == 2) found->acknowledged |= static_cast<std::uint8_t>(bit);
    if (response.status >= 400) found->Note(kCallbackError);
  };
  webhooks_.PostStatus(*std::move(webhook), call.number | kCallOrder, step);
}

void CallEngine::End(Call& call, CallStatus status, int sip, WallTime at) {
  if (call.Final()) return;
  const bool dialed = call.Reached(CallStatus::kInitiated);
  if (call.Reached(CallStatus::kInProgress)) {
    const std::chrono::duration<double> elapsed = at - call.When(CallStatus::kInProgress);
    call.duration =
        CallSeconds(elapsed / std::chrono::duration<double>(state_.messages.timing().call_second));
  }
  SetStatus(call, status, at);
  call.sip = sip;
  call.conversation.reset();
  call.next_at.reset();
  call.detected_at.reset();
  call.ends_at.reset();
  if (dialed) PostEvent(call, CallEvent::kCompleted, at);  // no callback if canceled in the queue
}

void CallEngine::Ring(Call& call, WallTime at) {
  SetStatus(call, CallStatus::kRinging, at);
  PostEvent(call, CallEvent::kRinging, at);
  const Micros timeout = RealTime(call.request.timeout);
  const bool waits = call.phone.pickup == Pickup::kNoAnswer || call.phone.pickup == Pickup::kManual;
  call.next_at = at + (waits ? timeout : std::min(RealTime(call.phone.ring), timeout));
}

// The next step of a call at its due time.
void CallEngine::Proceed(Call& call, WallTime at) {
  call.next_at.reset();
  switch (call.status) {
    case CallStatus::kQueued:
      SetStatus(call, CallStatus::kInitiated, at);
      PostEvent(call, CallEvent::kInitiated, at);
      if (call.phone.pickup == Pickup::kUnreachable) {
        return End(call, CallStatus::kFailed, call.phone.sip.value_or(kSipNotFound), at);
      }
      call.next_at = at + state_.messages.timing().sending;
      return;
    case CallStatus::kInitiated: return Ring(call, at);
    case CallStatus::kInProgress: return ContinueScript(call, at);
    default: break;
  }
  const bool timed_out = RealTime(call.phone.ring) > RealTime(call.request.timeout);
  switch (timed_out ? Pickup::kNoAnswer : call.phone.pickup) {
    case Pickup::kBusy: return End(call, CallStatus::kBusy, call.phone.sip.value_or(kSipBusy), at);
    case Pickup::kReject:
      return End(call, CallStatus::kBusy, call.phone.sip.value_or(kSipDecline), at);
    case Pickup::kNoAnswer:
    case Pickup::kManual:
      return End(call, CallStatus::kNoAnswer, call.phone.sip.value_or(kSipTerminated), at);
    default: return Answer(call, at);
  }
}

void CallEngine::Answer(Call& call, WallTime at) {
  SetStatus(call, CallStatus::kInProgress, at);
  call.conversation.emplace();
  call.ends_at = at + RealTime(call.request.time_limit);
  if (call.phone.hang_up)
    call.ends_at = std::min(*call.ends_at, at + RealTime(*call.phone.hang_up));
  const bool machine = call.phone.pickup == Pickup::kMachine;
  if (call.request.detection != Detection::kOff) {
    CallSeconds detection = machine ? kMachineDetectionTime : kHumanDetectionTime;
    if (machine && call.request.detection == Detection::kMessageEnd)
      detection = call.phone.greeting;
    call.detection_time = std::min(detection, call.request.detection_timeout);
    call.detected_at = at + RealTime(call.detection_time);
  }
  call.AddHeard({.at = at, .kind = "answer", .text = std::string(NameOf(call.phone.pickup))});
  PostEvent(call, CallEvent::kAnswered, at);
  if (!call.request.send_digits.empty()) {
    call.AddHeard({.at = at, .kind = "digits", .text = call.request.send_digits});
  }
  const Micros dialing =
      RealTime(kDigitDuration * static_cast<double>(call.request.send_digits.size()));
  const bool waits_for_detection = call.detected_at && !call.request.async_detection;
  if (!waits_for_detection) call.next_at = at + dialing;
}

void CallEngine::Detect(Call& call, WallTime at) {
  call.detected_at.reset();
  const bool message_end = call.request.detection == Detection::kMessageEnd;
  const bool timed_out = call.detection_time >= call.request.detection_timeout;
  switch (call.phone.pickup) {
    case Pickup::kMachine:
      call.answered_by = !message_end ? "machine_start" : "machine_end_" + call.phone.greeting_end;
      break;
    case Pickup::kFax: call.answered_by = "fax"; break;
    case Pickup::kUnknown: call.answered_by = "unknown"; break;
    default: call.answered_by = "human"; break;
  }
  if (timed_out) call.answered_by = "unknown";
  if (!call.request.async_detection) return StartScript(call, at);
  if (call.request.detection_callback.url.empty()) return;
  const auto milliseconds = static_cast<int>(call.detection_time.count() * 1000);
  auto webhook =
      webhooks_.MakeWebhook(call.request.account, call.request.detection_callback.url,
                            {{"CallSid", state_.calls.SidOf(call)},
                             {"AccountSid", state_.directory.Accounts()[call.request.account].sid},
                             {"AnsweredBy", call.answered_by},
                             {"MachineDetectionDuration", std::to_string(milliseconds)}},
                            call.request.detection_callback.get);
  if (!webhook) return;
  constexpr std::uint64_t kStep = 1000;  // different from those of the status callbacks
  webhook->token = IdempotencyToken(state_.calls.Random(), call.number, kStep);
  webhooks_.Post(*std::move(webhook));
}

// Handles the due times that have been reached at `at`.
void CallEngine::HandleDue(Call& call, WallTime at) {
  if (call.ends_at && *call.ends_at <= at) {
    call.AddHeard({.at = at, .kind = "hangup"});
    return End(call, CallStatus::kCompleted, kSipOk, at);
  }
  if (call.detected_at && *call.detected_at <= at) Detect(call, at);
  if (call.next_at && *call.next_at <= at) Proceed(call, at);
}

void CallEngine::Advance(WallTime now) {
  for (const FetchedDocument& document : state_.calls.TakeDocuments())
    HandleDocument(document, now);
  while (Call* const call = state_.calls.PopDue(now)) {
    HandleDue(*call, *NextDueOf(*call));
    if (!call->Final()) state_.calls.Schedule(*call);
  }
}

bool CallEngine::PickUp(Call& call, WallTime now) {
  if (call.status != CallStatus::kRinging) return false;
  if (call.phone.pickup == Pickup::kManual) call.phone.pickup = Pickup::kHuman;
  call.next_at.reset();
  Answer(call, now);
  ScheduleNext(call);
  return true;
}

bool CallEngine::HangUp(Call& call, WallTime now) {
  if (call.status == CallStatus::kRinging) {
    End(call, CallStatus::kBusy, kSipDecline, now);
    return true;
  }
  return Complete(call, now);
}

bool CallEngine::Cancel(Call& call, WallTime now) {
  if (call.Final()) return false;
  if (call.status != CallStatus::kInProgress) End(call, CallStatus::kCanceled, kSipTerminated, now);
  return true;
}

bool CallEngine::Complete(Call& call, WallTime now) {
  if (call.status != CallStatus::kInProgress) return Cancel(call, now);
  call.AddHeard({.at = now, .kind = "hangup"});
  End(call, CallStatus::kCompleted, kSipOk, now);
  return true;
}

}  // namespace tocsin::sim
