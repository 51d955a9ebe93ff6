#include "services/ingress/marking.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/base/error.h"
#include "common/domain/ids.h"
#include "common/domain/segments.h"
#include "common/domain/twilio_errors.h"

namespace tocsin::ingress {
namespace {

using Outcome = v1::CancelResponse::Outcome;

constexpr size_t kUuidLength = 36;
constexpr std::chrono::milliseconds kRetryAfter{1000};

Status CheckAlertId(const std::string& alert_id) {
  if (alert_id.size() == kUuidLength) return {};
  return Fail(ErrorCode::kInvalidArgument, "an alert's id has 36 characters, as Enqueue gave it",
              "alert_id");
}

// Unicode's Cc in valid UTF-8: ASCII's, DEL, and U+0080 to U+009F.
bool HoldsControl(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < ' ' || byte == 0x7f) return true;
    if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0)
      return true;
  }
  return false;
}

Status CheckBy(const std::string& by) {
  if (!by.empty() && by.size() <= kMaxAcknowledgedBy && IsValidUtf8(by) && !HoldsControl(by))
    return {};
  return Fail(ErrorCode::kInvalidArgument,
              "who acknowledged is 1 to 64 bytes of UTF-8 without control characters, such as a "
              "user's id",
              "acknowledged_by");
}

// Whether Twilio's answer forbids any further try.
bool IsRefusedForGood(const v1::Receipt& receipt) {
  if (receipt.outcome() != v1::RECEIPT_OUTCOME_REFUSED) return false;
  switch (Describe(receipt.provider_code()).error_class) {
    case TwilioErrorClass::kPermanentNumber:
    case TwilioErrorClass::kPermanentContent:
    case TwilioErrorClass::kOptOut:
    case TwilioErrorClass::kGeography: return true;
    default: return false;
  }
}

bool IsStopped(const v1::Receipt& receipt) {
  return receipt.outcome() == v1::RECEIPT_OUTCOME_ENDED &&
         receipt.status() == v1::TRY_STATUS_CANCELLED;
}

// A try that is being tried again without Twilio having taken anything.
bool WasNeverSent(const v1::Receipt& receipt) {
  return receipt.outcome() == v1::RECEIPT_OUTCOME_NOT_SENT ||
         receipt.outcome() == v1::RECEIPT_OUTCOME_RATE_LIMITED || IsStopped(receipt);
}

std::string_view NameOf(Outcome outcome) {
  switch (outcome) {
    case v1::CancelResponse::OUTCOME_CANCELLED: return "CANCELLED";
    case v1::CancelResponse::OUTCOME_TOO_LATE: return "TOO_LATE";
    default: return "ALREADY_ENDED";
  }
}

// The same mark makes the same event, whoever repeats it.
v1::Event EventOf(const std::string& client_id, const std::string& alert_id, WallTime time,
                  const std::string& what) {
  v1::Event event;
  event.mutable_try_()->set_alert_id(alert_id);
  event.set_event_id(EventId(event.try_(), what));
  event.set_client_id(client_id);
  event.set_time_us(ToUnixMicros(time));
  return event;
}

}  // namespace

Outcome OutcomeOf(const Marked& marked) {
  if (marked.posting) return v1::CancelResponse::OUTCOME_TOO_LATE;
  if (std::ranges::all_of(marked.receipts, WasNeverSent))
    return v1::CancelResponse::OUTCOME_CANCELLED;
  const v1::Receipt& last = marked.receipts.back();
  const bool ended = last.outcome() == v1::RECEIPT_OUTCOME_ENDED || IsRefusedForGood(last);
  return ended && !IsStopped(last) ? v1::CancelResponse::OUTCOME_ALREADY_ENDED
                                   : v1::CancelResponse::OUTCOME_TOO_LATE;
}

void Marking::Cancel(const std::string& client_id, const v1::CancelRequest& request,
                     const std::string& traceparent,
                     std::function<void(Result<v1::CancelResponse>)> answer) {
  if (const Status good = CheckAlertId(request.alert_id()); !good)
    return answer(Fail(good.error()));
  parts_.admissions.Mark({.alert_id = request.alert_id(),
                          .client_id = client_id,
                          .mark = MarkRequest::Mark::kCancelled,
                          .time = parts_.clock.Now(),
                          .by = {}},
                         [this, client_id, alert_id = request.alert_id(), traceparent,
                          answer = std::move(answer)](Result<Marked> marked) {
                           if (!marked) return answer(Fail(marked.error()));
                           v1::CancelResponse response;
                           response.set_outcome(OutcomeOf(*marked));
                           const std::string outcome(NameOf(response.outcome()));
                           v1::Event event =
                               EventOf(client_id, alert_id, marked->time, "cancel:" + outcome);
                           event.mutable_cancel_requested()->set_outcome(outcome);
                           Publish(event, traceparent, [response, answer](Status published) {
                             if (!published) return answer(Fail(published.error()));
                             answer(response);
                           });
                         });
}

void Marking::Acknowledge(const std::string& client_id, const v1::AcknowledgeRequest& request,
                          const std::string& traceparent,
                          std::function<void(Result<v1::AcknowledgeResponse>)> answer) {
  if (const Status good = CheckAlertId(request.alert_id()); !good)
    return answer(Fail(good.error()));
  if (const Status good = CheckBy(request.acknowledged_by()); !good)
    return answer(Fail(good.error()));
  parts_.admissions.Mark({.alert_id = request.alert_id(),
                          .client_id = client_id,
                          .mark = MarkRequest::Mark::kAcknowledged,
                          .time = parts_.clock.Now(),
                          .by = request.acknowledged_by()},
                         [this, client_id, alert_id = request.alert_id(), traceparent,
                          answer = std::move(answer)](Result<Marked> marked) {
                           if (!marked) return answer(Fail(marked.error()));
                           v1::AcknowledgeResponse response;
                           response.set_first(marked->first);
                           v1::Event event =
                               EventOf(client_id, alert_id, marked->time, "acknowledged");
                           event.mutable_acknowledged()->set_by(marked->by);
                           Publish(event, traceparent, [response, answer](Status published) {
                             if (!published) return answer(Fail(published.error()));
                             answer(response);
                           });
                         });
}

void Marking::Publish(const v1::Event& event, const std::string& traceparent,
                      std::function<void(Status)> answer) {
  OutgoingRecord record{
      parts_.topics.Events(), event.try_().alert_id(), event.SerializeAsString(), {}};
  record.headers.emplace_back(kHeaderSchema, event.GetDescriptor()->full_name());
  record.headers.emplace_back(kHeaderTraceparent, traceparent);
  parts_.log.Publish(std::move(record), [answer = std::move(answer)](const PublishReport& report) {
    if (report.outcome == PublishOutcome::kPersisted) return answer({});
    const bool unknown = report.outcome == PublishOutcome::kUnknown;
    answer(Fail(
        Error{.code = unknown ? ErrorCode::kOutcomeUnknown : ErrorCode::kKafkaUnavailable,
              .message =
                  "the alert is marked, and that is not on record yet: the same call again is safe",
              .retry_after = kRetryAfter}));
  });
}

}  // namespace tocsin::ingress
