// Maps Twilio's status values and AnsweredBy to Tocsin's enums. Source: Twilio's documentation of
// message status values, call status values and answering machine detection. Pure.
#pragma once

#include <string_view>

#include "tocsin/records/v1/records.pb.h"

namespace tocsin::twilio {

// AnsweredBy: "human", "machine_start", "machine_end_beep", …, "fax", "unknown"; empty if detection
// was not requested.
v1::AnsweredBy AnsweredByOf(std::string_view answered_by);

// ATTEMPT_STATUS_UNSPECIFIED for an unknown value.
v1::AttemptStatus MessageStatusOf(std::string_view word);
v1::AttemptStatus CallStatusOf(std::string_view word, v1::AnsweredBy answered_by);

// The class of a failure or of an error code; UNSPECIFIED without either. `word` is Twilio's
// status, `code` its error code or 0.
records::v1::ProviderErrorClass ErrorClassOf(v1::AttemptStatus status, std::string_view word,
                                             int code);

// Sets provider_status to `word`, and status and error_class from it. kind, provider_code and
// answered_by must be set before.
void SetProviderStatus(records::v1::WebhookRecord& record, std::string_view word);

}  // namespace tocsin::twilio
