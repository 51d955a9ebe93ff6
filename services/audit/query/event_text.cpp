#include "services/audit/query/event_text.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/base/error.h"
#include "common/domain/message/call_keys.h"
#include "services/audit/query/explanation.h"

namespace tocsin::audit {
namespace {

constexpr std::string_view kResolvedInVain = "Failed: not resolved whether Twilio accepted it";
constexpr std::string_view kNotReceived = "Twilio has no such message; it was not sent";

bool Is(const std::string& reason, ErrorCode code) { return reason == TraitsOf(code).name; }

bool IsKeyPress(const AlertEvent& event) {
  return event.webhook_kind == records::v1::WEBHOOK_KIND_VOICE_GATHER;
}

std::string_view PhraseOfAccepted(const AlertEvent& event) {
  if (event.provider_status == "sent") return "Sent by Twilio";
  if (event.provider_status == "initiated") return "Dialing";
  return "Accepted by Twilio";
}

std::string_view PhraseOfDelivered(const AlertEvent& event, v1::Channel channel) {
  if (channel == v1::CHANNEL_VOICE) return "Call completed";
  return event.provider_status == "read" ? "Read" : "Delivered";
}

// A call is cancelled while it is queued or rings.
std::string_view PhraseOfFailed(const AlertEvent& event, v1::Channel channel) {
  if (event.provider_status == "canceled")
    return channel == v1::CHANNEL_VOICE ? "Call cancelled" : "Message cancelled";
  if (Is(event.reason, ErrorCode::kInDoubt)) return kResolvedInVain;
  return Is(event.reason, ErrorCode::kNotReceived) ? kNotReceived : "Failed";
}

std::string_view PhraseOfStatus(const AlertEvent& event, v1::Channel channel) {
  switch (event.status) {
    case v1::ATTEMPT_STATUS_QUEUED: return "Queued";
    case v1::ATTEMPT_STATUS_SENDING: return "Submitting to Twilio";
    case v1::ATTEMPT_STATUS_IN_DOUBT: return "In doubt: Twilio may have accepted it";
    case v1::ATTEMPT_STATUS_SENT: return PhraseOfAccepted(event);
    case v1::ATTEMPT_STATUS_RINGING:  // also of a call that somebody or something answered
      return event.provider_status == "in-progress" || event.provider_status == "answered"
                 ? "Answered"
                 : "Ringing";
    case v1::ATTEMPT_STATUS_ANSWERED_MACHINE: return "Answered by machine";
    case v1::ATTEMPT_STATUS_ANSWERED_HUMAN: return "Answered by human";
    case v1::ATTEMPT_STATUS_DELIVERED: return PhraseOfDelivered(event, channel);
    case v1::ATTEMPT_STATUS_UNDELIVERED: return "Undelivered";
    case v1::ATTEMPT_STATUS_FAILED: return PhraseOfFailed(event, channel);
    case v1::ATTEMPT_STATUS_SENT_UNCONFIRMED: return "Delivery not confirmed in time";
    case v1::ATTEMPT_STATUS_BUSY: return "Busy";
    case v1::ATTEMPT_STATUS_NO_ANSWER: return "No answer";
    case v1::ATTEMPT_STATUS_EXPIRED: return "Expired before sending";
    case v1::ATTEMPT_STATUS_CANCELLED: return "Cancelled before sending";
    case v1::ATTEMPT_STATUS_SUPPRESSED: return "Suppressed";
    case v1::ATTEMPT_STATUS_REJECTED: return "Rejected";
    default: return "Unknown status";
  }
}

// The cause of a status that has one. Reasons that the phrase states already have none.
std::string CauseOf(const AlertEvent& event) {
  switch (event.status) {
    case v1::ATTEMPT_STATUS_CANCELLED:
      return Is(event.reason, ErrorCode::kCancelled) ? std::string() : Explain(0, event.reason);
    case v1::ATTEMPT_STATUS_SUPPRESSED:
      if (Is(event.reason, ErrorCode::kOptedOut)) return Explain(0, event.reason);
      break;
    case v1::ATTEMPT_STATUS_FAILED:
      if (Is(event.reason, ErrorCode::kInDoubt) || Is(event.reason, ErrorCode::kNotReceived) ||
          event.provider_status == "canceled")
        return {};
      break;
    case v1::ATTEMPT_STATUS_UNDELIVERED:
    case v1::ATTEMPT_STATUS_REJECTED: break;
    default: return {};
  }
  const bool why_last =
      Is(event.reason, ErrorCode::kRetriesExhausted) || Is(event.reason, ErrorCode::kExpired);
  return Explain(event.provider_code, why_last ? std::string_view() : event.reason);
}

// Why no attempt follows one that could be repeated.
std::string_view WhyLast(const AlertEvent& event) {
  if (event.kind != AlertEventKind::kAttemptChanged || event.status == v1::ATTEMPT_STATUS_EXPIRED)
    return {};
  if (Is(event.reason, ErrorCode::kRetriesExhausted)) return "retries exhausted";
  if (Is(event.reason, ErrorCode::kExpired)) return "expires before another attempt";
  return {};
}

EventText AttemptText(const AlertEvent& event, v1::Channel channel) {
  EventText text;
  text.phrase = PhraseOfStatus(event, channel);
  if (IsKeyPress(event)) {
    text.phrase = "Pressed key " + event.provider_status;
    const CallKey key = CallKeyOf(event.provider_status);
    if (key != CallKey::kUnknown) text.cause = NameOf(key);
    return text;
  }
  if (event.status == v1::ATTEMPT_STATUS_DELIVERED && event.duration_seconds > 0)
    text.detail = " after " + std::to_string(event.duration_seconds) + " s";
  text.cause = CauseOf(event);
  text.provider_code = event.provider_code;
  if (const std::string_view why = WhyLast(event); !why.empty()) text.notes.emplace_back(why);
  if (!event.note.empty()) text.notes.push_back(event.note);
  text.next_attempt = event.next_attempt;
  return text;
}

std::string_view WayOf(v1::AcknowledgementMethod method) {
  switch (method) {
    case v1::ACKNOWLEDGEMENT_METHOD_KEYPRESS: return " by key press";
    case v1::ACKNOWLEDGEMENT_METHOD_LINK: return " by the link in the message";
    case v1::ACKNOWLEDGEMENT_METHOD_REPLY: return " by a reply";
    default: return {};
  }
}

// Who, in which way.
std::string ByWhom(const std::string& person, v1::AcknowledgementMethod method) {
  const std::string way(WayOf(method));
  if (person.empty()) return way;
  return " by " + person + (way.empty() ? "" : ",") + way;
}

std::string AcknowledgedPhrase(const AlertEvent& event) {
  const std::string& person = PersonOf(event, {});
  std::string text = "Acknowledged" + ByWhom(person, event.acknowledgement_method);
  if (!event.actor_id.empty() && event.actor_id != person)
    text += ", reported by " + event.actor_id;
  return text;
}

std::string_view CancelPhrase(v1::CancelOutcome outcome) {
  switch (outcome) {
    case v1::CANCEL_OUTCOME_CANCELLED: return "Cancelled by client";
    case v1::CANCEL_OUTCOME_TOO_LATE: return "Cancel requested: attempt already in progress";
    case v1::CANCEL_OUTCOME_ALREADY_ENDED: return "Cancel requested: already final";
    default: return "Cancel requested";
  }
}

}  // namespace

void EventText::Merge(EventText other) {
  if (detail.empty()) detail = std::move(other.detail);
  if (provider_code == 0 && other.provider_code != 0) {
    provider_code = other.provider_code;
    if (!other.cause.empty()) cause = std::move(other.cause);
  } else if (cause.empty()) {
    cause = std::move(other.cause);
  }
  for (std::string& note : other.notes)
    if (std::ranges::find(notes, note) == notes.end()) notes.push_back(std::move(note));
  next_attempt = std::max(next_attempt, other.next_attempt);
}

std::string EventText::Description() const {
  std::string text = phrase + detail;
  if (!cause.empty()) text += ": " + cause;
  if (provider_code != 0) text += " (Twilio " + std::to_string(provider_code) + ')';
  for (const std::string& note : notes) text += "; " + note;
  if (next_attempt != 0) text += "; attempt " + std::to_string(next_attempt) + " follows";
  return text;
}

EventText MakeEventText(const AlertEvent& event, v1::Channel channel) {
  EventText text;
  switch (event.kind) {
    case AlertEventKind::kAttemptChanged:
    case AlertEventKind::kCallback: return AttemptText(event, channel);
    case AlertEventKind::kAcknowledged: text.phrase = AcknowledgedPhrase(event); break;
    case AlertEventKind::kCancelRequested: text.phrase = CancelPhrase(event.cancel_outcome); break;
    case AlertEventKind::kPriced: text.phrase = "Price received"; break;
    case AlertEventKind::kDeclined:
      text.phrase = "Declined" + ByWhom(event.person, event.acknowledgement_method);
      break;
    case AlertEventKind::kPlanExhausted: text.phrase = "No step of the plan is left"; break;
    case AlertEventKind::kGoalMissed: text.phrase = "Goal not reached by the deadline"; break;
  }
  return text;
}

}  // namespace tocsin::audit
