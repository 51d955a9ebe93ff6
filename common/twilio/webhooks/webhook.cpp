#include "common/twilio/webhooks/webhook.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/base/uuid.h"
#include "common/twilio/sid.h"
#include "common/twilio/webhooks/status_words.h"

namespace tocsin::twilio {
namespace {

constexpr size_t kMaxKeyword = 32;        // characters
constexpr size_t kMaxParameterName = 64;  // characters
constexpr int kMaxCode = 999'999;         // Twilio's have five digits
constexpr int kMaxSequence = 1'000'000;   // a call has less than ten
constexpr int kMaxDuration = 7 * 86'400;  // seconds
constexpr int kMaxSegments = 1'000;

bool IsCallKind(records::v1::WebhookKind kind) {
  return kind == records::v1::WEBHOOK_KIND_VOICE_STATUS ||
         kind == records::v1::WEBHOOK_KIND_VOICE_GATHER ||
         kind == records::v1::WEBHOOK_KIND_VOICE_TWIML;
}

bool IsLetterOrDigit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

tl::unexpected<Error> Invalid(const char* field, const char* problem) {
  return Fail(ErrorCode::kInvalidArgument, std::string("webhook: ") + field + " " + problem, field);
}

// A decimal number from 0 to `max`; `absent` if the field is empty.
Result<int> Number(const FormFields& fields, const char* name, int max, int absent) {
  const std::string_view text = FieldOf(fields, name);
  if (text.empty()) return absent;
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0 || number > max)
    return Invalid(name, "is not a number from 0 to its maximum");
  return number;
}

// One of Twilio's keywords, such as a status; may be empty.
Result<std::string> KeywordField(const FormFields& fields, const char* name) {
  const std::string_view text = FieldOf(fields, name);
  if (text.size() > kMaxKeyword ||
      !std::ranges::all_of(text, [](char c) { return IsLetterOrDigit(c) || c == '-' || c == '_'; }))
    return Invalid(name, "is not a keyword of at most 32 characters");
  return std::string(text);
}

// `name`, or its deprecated equivalent if only that is present.
const char* FirstPresent(const FormFields& fields, const char* name, const char* deprecated) {
  return FieldOf(fields, name).empty() && !FieldOf(fields, deprecated).empty() ? deprecated : name;
}

Result<std::string> ProviderSid(records::v1::WebhookKind kind, const FormFields& fields) {
  if (IsCallKind(kind)) {
    const std::string_view sid = FieldOf(fields, "CallSid");
    if (!IsCallSid(sid)) return Invalid("CallSid", "is not a call SID");
    return std::string(sid);
  }
  const char* name = FirstPresent(fields, "MessageSid", "SmsSid");
  const std::string_view sid = FieldOf(fields, name);
  if (!IsMessageSid(sid)) return Invalid(name, "is not a message SID");
  return std::string(sid);
}

// The first key pressed, or nothing. A character that is not on a telephone keypad becomes '?'.
std::string KeyOf(std::string_view digits) {
  if (digits.empty()) return {};
  const char key = digits.front();
  const bool known = (key >= '0' && key <= '9') || key == '*' || key == '#';
  return std::string(1, known ? key : '?');
}

Status ReadStatus(records::v1::WebhookKind kind, const FormFields& fields,
                  records::v1::WebhookRecord& record) {
  if (kind == records::v1::WEBHOOK_KIND_VOICE_GATHER) {  // the key, not CallStatus
    SetProviderStatus(record, KeyOf(FieldOf(fields, "Digits")));
    return {};
  }
  const char* name = IsCallKind(kind) ? "CallStatus"
                     : kind == records::v1::WEBHOOK_KIND_SMS_STATUS
                         ? FirstPresent(fields, "MessageStatus", "SmsStatus")
                         : "SmsStatus";
  TOCSIN_TRY(std::string status, KeywordField(fields, name));
  const bool has_status = kind == records::v1::WEBHOOK_KIND_SMS_STATUS ||
                          kind == records::v1::WEBHOOK_KIND_VOICE_STATUS;
  if (has_status && status.empty()) return Invalid(name, "is missing");
  SetProviderStatus(record, status);
  return {};
}

// The parameter's name as printable ASCII.
std::string PrintableName(std::string_view name) {
  std::string printable(name.substr(0, kMaxParameterName));
  std::ranges::replace_if(
      printable, [](char c) { return c < ' ' || c > '~'; }, '?');
  return printable;
}

// Equal for repetitions of a request. Twilio does not number gather requests, so key and round
// distinguish them.
std::string WebhookId(const records::v1::WebhookRecord& record, unsigned round) {
  std::string name = "webhook|" + record.provider_sid() + "|" + record.provider_status() + "|" +
                     std::to_string(record.sequence_number()) + "|" + std::to_string(record.kind());
  if (record.kind() == records::v1::WEBHOOK_KIND_VOICE_GATHER) name += "|" + std::to_string(round);
  return MakeUuidV5(name);
}

}  // namespace

std::string_view FieldOf(const FormFields& fields, std::string_view name) {
  for (const auto& [field, value] : fields)
    if (field == name) return value;
  return {};
}

Result<records::v1::WebhookRecord> ParseWebhook(records::v1::WebhookKind kind,
                                                const FormFields& fields, unsigned round) {
  if (fields.size() > kMaxWebhookParameters)
    return Fail(ErrorCode::kTooManyItems, "webhook: more than 100 parameters");
  records::v1::WebhookRecord record;
  record.set_kind(kind);
  TOCSIN_TRY(std::string sid, ProviderSid(kind, fields));
  record.set_provider_sid(std::move(sid));
  const std::string_view account = FieldOf(fields, "AccountSid");
  if (!account.empty() && !IsAccountSid(account))
    return Invalid("AccountSid", "is not an account SID");
  record.set_account_sid(std::string(account));
  TOCSIN_TRY(const int code, Number(fields, "ErrorCode", kMaxCode, 0));
  record.set_provider_code(code);
  TOCSIN_TRY(const std::string answered_by, KeywordField(fields, "AnsweredBy"));
  record.set_answered_by(AnsweredByOf(answered_by));
  TOCSIN_CHECK_OK(ReadStatus(kind, fields, record));
  TOCSIN_TRY(const int sequence, Number(fields, "SequenceNumber", kMaxSequence, -1));
  record.set_sequence_number(sequence);
  TOCSIN_TRY(const int duration, Number(fields, "CallDuration", kMaxDuration, -1));
  record.set_duration_seconds(duration);
  TOCSIN_TRY(const int segments, Number(fields, "NumSegments", kMaxSegments, 0));
  record.set_segment_count(segments);
  TOCSIN_TRY(std::string opt_out_type, KeywordField(fields, "OptOutType"));
  record.set_opt_out_type(std::move(opt_out_type));
  for (const auto& [name, value] : fields) {
    records::v1::ParameterShape& shape = *record.add_parameters();
    shape.set_name(PrintableName(name));
    shape.set_value_length(static_cast<std::int32_t>(value.size()));
  }
  record.set_webhook_id(WebhookId(record, round));
  return record;
}

std::string_view OtherParty(records::v1::WebhookKind kind, const FormFields& fields) {
  return FieldOf(fields, kind == records::v1::WEBHOOK_KIND_SMS_INBOUND ? "From" : "To");
}

}  // namespace tocsin::twilio
