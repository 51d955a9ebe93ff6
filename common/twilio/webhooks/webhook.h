// Parses the parameters of a verified Twilio request into a record without PII. Pure.
#pragma once

#include <string>
#include <string_view>

#include "common/base/encoding.h"
#include "common/base/result.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin::twilio {

constexpr size_t kMaxWebhookParameters = 100;  // Twilio sends 15 to 40

// The first value of the field; empty if there is none.
std::string_view FieldOf(const FormFields& fields, std::string_view name);

// Sets webhook_id, kind, provider_sid, account_sid, provider_status, status, error_class,
// provider_code, sequence_number, answered_by, duration_seconds, segment_count, opt_out_type and
// parameters (names and lengths); the caller sets the rest. A repeated request has the same
// webhook_id. `round` is how often the alert was spoken before a gather: the same key in another
// round is another request. Fails with kInvalidArgument, naming the missing or invalid field but
// never its value, or with kTooManyItems beyond kMaxWebhookParameters.
Result<records::v1::WebhookRecord> ParseWebhook(records::v1::WebhookKind kind,
                                                const FormFields& fields, unsigned round = 0);

// PII. The number of the other party: the sender of an inbound message, else the recipient.
std::string_view OtherParty(records::v1::WebhookKind kind, const FormFields& fields);

}  // namespace tocsin::twilio
