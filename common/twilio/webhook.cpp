#include "common/twilio/webhook.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/base/uuid.h"

namespace tocsin::twilio {
namespace {

constexpr size_t kMaxWord = 32;           // characters of a status or the like
constexpr size_t kMaxShownName = 64;      // characters of a parameter's name
constexpr int kMaxCode = 999'999;         // Twilio's have five digits
constexpr int kMaxSequence = 1'000'000;   // a call has a handful
constexpr int kMaxDuration = 7 * 86'400;  // seconds
constexpr int kMaxSegments = 1'000;

bool IsCallKind(v1::WebhookKind kind) {
  return kind == v1::WEBHOOK_KIND_VOICE_STATUS || kind == v1::WEBHOOK_KIND_VOICE_GATHER ||
         kind == v1::WEBHOOK_KIND_VOICE_TWIML;
}

bool IsLetterOrDigit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

tl::unexpected<Error> Refuse(const char* field, const char* rule) {
  return Fail(ErrorCode::kInvalidArgument, std::string("webhook: ") + field + " " + rule, field);
}

// A decimal number in 0 … most, or `absent` for an empty field.
Result<int> Number(const FormFields& fields, const char* name, int most, int absent) {
  const std::string_view text = FieldOf(fields, name);
  if (text.empty()) return absent;
  int number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc() || end != text.data() + text.size() || number < 0 || number > most)
    return Refuse(name, "is not a number within its bounds");
  return number;
}

// One of Twilio's words, or empty.
Result<std::string> WordOf(const FormFields& fields, const char* name) {
  const std::string_view text = FieldOf(fields, name);
  if (text.size() > kMaxWord ||
      !std::ranges::all_of(text, [](char c) { return IsLetterOrDigit(c) || c == '-' || c == '_'; }))
    return Refuse(name, "is not a word of at most 32 letters");
  return std::string(text);
}

// Newer names first; both carry the same value.
const char* FirstPresent(const FormFields& fields, const char* name, const char* older) {
  return FieldOf(fields, name).empty() && !FieldOf(fields, older).empty() ? older : name;
}

Result<std::string> ProviderSid(v1::WebhookKind kind, const FormFields& fields) {
  if (IsCallKind(kind)) {
    const std::string_view sid = FieldOf(fields, "CallSid");
    if (!IsSid(sid, "CA")) return Refuse("CallSid", "must be CA and letters or digits");
    return std::string(sid);
  }
  const char* name = FirstPresent(fields, "MessageSid", "SmsSid");
  const std::string_view sid = FieldOf(fields, name);
  if (!IsSid(sid, "SM") && !IsSid(sid, "MM"))
    return Refuse(name, "must be SM or MM and letters or digits");
  return std::string(sid);
}

// The first key that was pressed, or nothing; what is on no telephone is a question mark.
std::string ShownKey(std::string_view digits) {
  if (digits.empty()) return {};
  const char key = digits.front();
  const bool known = (key >= '0' && key <= '9') || key == '*' || key == '#';
  return std::string(1, known ? key : '?');
}

Status ReadStatus(v1::WebhookKind kind, const FormFields& fields, v1::WebhookRecord& record) {
  if (kind == v1::WEBHOOK_KIND_VOICE_GATHER) {  // its CallStatus says nothing, its key does
    record.set_provider_status(ShownKey(FieldOf(fields, "Digits")));
    return {};
  }
  const char* name = IsCallKind(kind) ? "CallStatus"
                     : kind == v1::WEBHOOK_KIND_SMS_STATUS
                         ? FirstPresent(fields, "MessageStatus", "SmsStatus")
                         : "SmsStatus";
  TOCSIN_TRY(std::string status, WordOf(fields, name));
  const bool tells_status =
      kind == v1::WEBHOOK_KIND_SMS_STATUS || kind == v1::WEBHOOK_KIND_VOICE_STATUS;
  if (tells_status && status.empty()) return Refuse(name, "is missing");
  record.set_provider_status(std::move(status));
  return {};
}

// A parameter's name for people: whatever came, it is short ASCII.
std::string Shown(std::string_view name) {
  std::string shown(name.substr(0, kMaxShownName));
  std::ranges::replace_if(
      shown, [](char c) { return c < ' ' || c > '~'; }, '?');
  return shown;
}

// The same request, whenever and however often it comes. A call can be asked for keys several
// times, and Twilio does not number those requests: there the key and the round tell them apart.
std::string WebhookId(const v1::WebhookRecord& record, unsigned round) {
  std::string name = "webhook|" + record.provider_sid() + "|" + record.provider_status() + "|" +
                     std::to_string(record.sequence()) + "|" + std::to_string(record.kind());
  if (record.kind() == v1::WEBHOOK_KIND_VOICE_GATHER) name += "|" + std::to_string(round);
  return MakeUuidV5(name);
}

}  // namespace

bool IsSid(std::string_view text, std::string_view prefix) {
  return text.size() > prefix.size() && text.size() <= kMaxSid && text.starts_with(prefix) &&
         std::ranges::all_of(text, IsLetterOrDigit);
}

std::string_view FieldOf(const FormFields& fields, std::string_view name) {
  for (const auto& [field, value] : fields)
    if (field == name) return value;
  return {};
}

Result<v1::WebhookRecord> ReadWebhook(v1::WebhookKind kind, const FormFields& fields,
                                      unsigned round) {
  if (fields.size() > kMaxWebhookFields)
    return Fail(ErrorCode::kTooManyItems, "webhook: more than 100 parameters");
  v1::WebhookRecord record;
  record.set_kind(kind);
  TOCSIN_TRY(std::string sid, ProviderSid(kind, fields));
  record.set_provider_sid(std::move(sid));
  const std::string_view account = FieldOf(fields, "AccountSid");
  if (!account.empty() && !IsSid(account, "AC"))
    return Refuse("AccountSid", "must be AC and letters or digits");
  record.set_account_sid(std::string(account));
  TOCSIN_CHECK_OK(ReadStatus(kind, fields, record));
  TOCSIN_TRY(const int code, Number(fields, "ErrorCode", kMaxCode, 0));
  record.set_provider_code(code);
  TOCSIN_TRY(const int sequence, Number(fields, "SequenceNumber", kMaxSequence, -1));
  record.set_sequence(sequence);
  TOCSIN_TRY(std::string answered_by, WordOf(fields, "AnsweredBy"));
  record.set_answered_by(std::move(answered_by));
  TOCSIN_TRY(const int duration, Number(fields, "CallDuration", kMaxDuration, -1));
  record.set_duration_seconds(duration);
  TOCSIN_TRY(const int segments, Number(fields, "NumSegments", kMaxSegments, 0));
  record.set_segments(static_cast<std::uint32_t>(segments));
  TOCSIN_TRY(std::string opt_out_type, WordOf(fields, "OptOutType"));
  record.set_opt_out_type(std::move(opt_out_type));
  for (const auto& [name, value] : fields) {
    v1::ParameterShape& shape = *record.add_parameters();
    shape.set_name(Shown(name));
    shape.set_length(static_cast<std::uint32_t>(value.size()));
  }
  record.set_webhook_id(WebhookId(record, round));
  return record;
}

std::string_view OtherParty(v1::WebhookKind kind, const FormFields& fields) {
  return FieldOf(fields, kind == v1::WEBHOOK_KIND_SMS_INBOUND ? "From" : "To");
}

}  // namespace tocsin::twilio
