#include "common/twilio/webhooks/status_words.h"

#include <string>

#include "common/twilio/error_codes.h"

namespace tocsin::twilio {
namespace {

constexpr std::string_view kCanceled = "canceled";

v1::AttemptStatus StatusOf(const records::v1::WebhookRecord& record, std::string_view word) {
  switch (record.kind()) {
    case records::v1::WEBHOOK_KIND_SMS_STATUS: return MessageStatusOf(word);
    case records::v1::WEBHOOK_KIND_VOICE_STATUS: return CallStatusOf(word, record.answered_by());
    case records::v1::WEBHOOK_KIND_VOICE_GATHER:  // only a human presses a key
      return word.empty() ? v1::ATTEMPT_STATUS_UNSPECIFIED : v1::ATTEMPT_STATUS_ANSWERED_HUMAN;
    default: return v1::ATTEMPT_STATUS_UNSPECIFIED;
  }
}

}  // namespace

v1::AnsweredBy AnsweredByOf(std::string_view answered_by) {
  if (answered_by.empty()) return v1::ANSWERED_BY_UNSPECIFIED;
  if (answered_by == "human") return v1::ANSWERED_BY_HUMAN;
  if (answered_by.starts_with("machine") || answered_by == "fax") return v1::ANSWERED_BY_MACHINE;
  return v1::ANSWERED_BY_UNKNOWN;
}

v1::AttemptStatus MessageStatusOf(std::string_view word) {
  if (word == "queued" || word == "accepted" || word == "scheduled" || word == "sending" ||
      word == "sent")
    return v1::ATTEMPT_STATUS_SENT;
  if (word == "delivered" || word == "read") return v1::ATTEMPT_STATUS_DELIVERED;
  if (word == "undelivered") return v1::ATTEMPT_STATUS_UNDELIVERED;
  if (word == "failed" || word == kCanceled) return v1::ATTEMPT_STATUS_FAILED;
  return v1::ATTEMPT_STATUS_UNSPECIFIED;
}

v1::AttemptStatus CallStatusOf(std::string_view word, v1::AnsweredBy answered_by) {
  if (word == "queued" || word == "initiated") return v1::ATTEMPT_STATUS_SENT;
  if (word == "ringing") return v1::ATTEMPT_STATUS_RINGING;
  if (word == "in-progress" || word == "answered") {
    if (answered_by == v1::ANSWERED_BY_HUMAN) return v1::ATTEMPT_STATUS_ANSWERED_HUMAN;
    if (answered_by == v1::ANSWERED_BY_MACHINE) return v1::ATTEMPT_STATUS_ANSWERED_MACHINE;
    return v1::ATTEMPT_STATUS_RINGING;  // answered, but unknown by whom
  }
  if (word == "completed") return v1::ATTEMPT_STATUS_DELIVERED;
  if (word == "busy") return v1::ATTEMPT_STATUS_BUSY;
  if (word == "no-answer") return v1::ATTEMPT_STATUS_NO_ANSWER;
  if (word == "failed" || word == kCanceled) return v1::ATTEMPT_STATUS_FAILED;
  return v1::ATTEMPT_STATUS_UNSPECIFIED;
}

records::v1::ProviderErrorClass ErrorClassOf(v1::AttemptStatus status, std::string_view word,
                                             int code) {
  if (word == kCanceled) return records::v1::PROVIDER_ERROR_CLASS_CANCELLED;
  const bool failed =
      status == v1::ATTEMPT_STATUS_FAILED || status == v1::ATTEMPT_STATUS_UNDELIVERED;
  if (!failed && code == 0) return records::v1::PROVIDER_ERROR_CLASS_UNSPECIFIED;
  return Describe(code).error_class;
}

void SetProviderStatus(records::v1::WebhookRecord& record, std::string_view word) {
  record.set_provider_status(std::string(word));
  record.set_status(StatusOf(record, word));
  record.set_error_class(ErrorClassOf(record.status(), word, record.provider_code()));
}

}  // namespace tocsin::twilio
