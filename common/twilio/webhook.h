// What a verified Twilio request tells, without what it says about a person. Pure.
#pragma once

#include <string>
#include <string_view>

#include "common/base/encoding.h"
#include "common/base/result.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin::twilio {

constexpr size_t kMaxWebhookFields = 100;  // Twilio sends 15 to 40
constexpr size_t kMaxSid = 64;             // characters; Twilio's have 34

// Whether `text` is `prefix` ("AC", "SM", …) and letters or digits, at most kMaxSid in all. Twilio
// writes 32 hex digits; whose SID it is, only the signature proves.
bool IsSid(std::string_view text, std::string_view prefix);

// The first value of the field, or nothing.
std::string_view FieldOf(const FormFields& fields, std::string_view name);

// Fills webhook_id, kind, provider_sid, account_sid, provider_status, provider_code, sequence,
// answered_by, duration_seconds, segments, opt_out_type and parameters (names and lengths); the
// rest is the caller's. A repetition of the request has the same webhook_id; of a gather, `round`
// tells how often its alert was spoken, for the same key pressed in another round is another
// request. kInvalidArgument names the field that is missing or out of its bounds (message and
// field, never its value), kTooManyItems beyond kMaxWebhookFields.
Result<v1::WebhookRecord> ReadWebhook(v1::WebhookKind kind, const FormFields& fields,
                                      unsigned round = 0);

// PII. The number of the person at the other end: who wrote, or whom Tocsin wrote to or called.
std::string_view OtherParty(v1::WebhookKind kind, const FormFields& fields);

}  // namespace tocsin::twilio
