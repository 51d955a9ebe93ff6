#include "services/audit/timeline.h"

#include <algorithm>
#include <utility>

#include "common/base/error.h"
#include "common/domain/twilio_errors.h"

namespace tocsin::audit {
namespace {

std::string_view InWords(v1::TryStatus status) {
  switch (status) {
    case v1::TRY_STATUS_QUEUED: return "Waits for its turn";
    case v1::TRY_STATUS_SENDING: return "Being handed to Twilio";
    case v1::TRY_STATUS_IN_DOUBT: return "It is not known whether Twilio took it; being settled";
    case v1::TRY_STATUS_SENT: return "Twilio has it";
    case v1::TRY_STATUS_RINGING: return "The telephone rings";
    case v1::TRY_STATUS_ANSWERED_MACHINE: return "A machine took the call";
    case v1::TRY_STATUS_ANSWERED_HUMAN: return "A person took the call";
    case v1::TRY_STATUS_DELIVERED: return "Delivered";
    case v1::TRY_STATUS_UNDELIVERED: return "The carrier could not deliver it";
    case v1::TRY_STATUS_FAILED: return "Failed";
    case v1::TRY_STATUS_SENT_UNCONFIRMED: return "Sent, but no receipt came in time";
    case v1::TRY_STATUS_BUSY: return "The line was busy";
    case v1::TRY_STATUS_NO_ANSWER: return "Nobody took the call";
    case v1::TRY_STATUS_EXPIRED: return "Its time was over before it was sent";
    case v1::TRY_STATUS_CANCELLED: return "Cancelled before it was sent";
    case v1::TRY_STATUS_SUPPRESSED: return "Withheld";
    case v1::TRY_STATUS_REJECTED: return "Refused by a rule after acceptance";
    default: return "Something happened that this version has no word for";
  }
}

std::string_view InWords(ErrorCode reason) {
  switch (reason) {
    case ErrorCode::kOptedOut: return "the person opted out";
    case ErrorCode::kExpired: return "its time was over";
    case ErrorCode::kCancelled: return "it was cancelled";
    case ErrorCode::kInDoubt: return "it is not known whether Twilio took it";
    case ErrorCode::kRetriesExhausted: return "every try that was allowed failed";
    case ErrorCode::kTwilioApiError: return "Twilio refused it or could not deliver it";
    case ErrorCode::kNoRoute: return "no sender may reach this number";
    case ErrorCode::kSmsDisabled: return "text messages are switched off";
    case ErrorCode::kVoiceDisabled: return "calls are switched off";
    case ErrorCode::kCredentialsMissing: return "the Twilio account has no credentials";
    case ErrorCode::kInsufficientBalance: return "the balance does not suffice";
    case ErrorCode::kRateLimitExceeded: return "too much was sent in a short time";
    case ErrorCode::kIdempotencyConflict: return "its key stands for another request";
    case ErrorCode::kCorrupt: return "its record could not be opened";
    default: return {};
  }
}

// What a callback's word says more than its status does.
std::string_view InWords(const Fact& fact) {
  if (fact.kind == FactKind::kCallback) {
    if (fact.note.starts_with("key ")) return "A person pressed a key";
    if (fact.note.starts_with("in-progress") && fact.status == v1::TRY_STATUS_RINGING)
      return "The call was taken";
    if (fact.note.starts_with("completed")) return "The call is over";
  }
  return InWords(fact.status);
}

std::string TellTry(const Fact& fact) {
  std::string what(InWords(fact));
  if (IsEnd(fact.status) && fact.status != v1::TRY_STATUS_DELIVERED)
    if (const std::string why = Explain(fact.provider_code, fact.reason); !why.empty())
      what += ": " + why;
  if (fact.provider_code != 0) what += " (Twilio " + std::to_string(fact.provider_code) + ")";
  if (fact.kind == FactKind::kCallback && !fact.note.empty())
    what += (fact.note.starts_with("key ") ? ": " : "; Twilio says ") + fact.note;
  if (fact.kind == FactKind::kTryChanged && !fact.note.empty()) what += "; " + fact.note;
  if (fact.next_try != 0) what += "; try " + std::to_string(fact.next_try) + " follows";
  return what + ".";
}

std::string Tell(const Fact& fact) {
  switch (fact.kind) {
    case FactKind::kTryChanged:
    case FactKind::kCallback: return TellTry(fact);
    case FactKind::kAcknowledged: return "Acknowledged by " + fact.note + ".";
    case FactKind::kCancelRequested:
      if (fact.note == "CANCELLED") return "Cancelled by its caller.";
      if (fact.note == "TOO_LATE") return "Its caller cancelled: what had begun goes on.";
      return "Its caller cancelled: it had ended before.";
    case FactKind::kPriced: return "Its price or its segments became known.";
  }
  return {};
}

}  // namespace

void SetTime(WallTime time, google::protobuf::Timestamp& into) {
  constexpr std::int64_t kMicrosPerSecond = 1'000'000;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  into.set_seconds(seconds.time_since_epoch().count());
  into.set_nanos(static_cast<std::int32_t>((time - seconds).count() % kMicrosPerSecond * 1'000));
}

std::string Explain(std::int32_t provider_code, const std::string& reason) {
  if (provider_code != 0)
    if (const TwilioError& known = Describe(provider_code); known.code != 0)
      return std::string(known.reason);
  const auto code = ErrorCodeNamed(reason);
  return code ? std::string(InWords(*code)) : std::string();
}

std::vector<v1::TimelineEntry> Timeline(std::optional<WallTime> accepted,
                                        std::span<const Fact> facts) {
  std::vector<std::pair<WallTime, v1::TimelineEntry>> told;
  if (accepted) {
    v1::TimelineEntry entry;
    entry.set_what("Accepted.");
    told.emplace_back(*accepted, std::move(entry));
  }
  for (const Fact& fact : facts) {
    v1::TimelineEntry entry;
    entry.set_what(Tell(fact));
    entry.set_step(fact.step);
    entry.set_try_(fact.attempt);
    entry.set_status(fact.status);
    told.emplace_back(fact.time, std::move(entry));
  }
  std::stable_sort(told.begin(), told.end(), [](const auto& a, const auto& b) {
    // At one instant the lesser status came first: a try is in doubt before it fails.
    const auto key = [](const auto& of) {
      return std::tuple(of.first, of.second.step(), of.second.try_(),
                        RankOf(of.second.status(), ""));
    };
    return key(a) < key(b);
  });
  std::vector<v1::TimelineEntry> entries;
  for (auto& [time, entry] : told) {
    SetTime(time, *entry.mutable_time());
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace tocsin::audit
