#include "common/domain/alert/request_rules.h"

#include <algorithm>

#include "common/base/uuid.h"
#include "common/domain/message/segments.h"
#include "common/domain/message/utf8.h"

namespace tocsin {
namespace {

using std::chrono::hours;

constexpr const char* kContainsNul = "contains a NUL character; remove it";

hours DefaultLifetime(v1::Priority priority) {
  switch (priority) {
    case v1::PRIORITY_EMERGENCY: return hours(1);
    case v1::PRIORITY_HIGH: return hours(4);
    default: return hours(24);
  }
}

bool ContainsNul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

Result<WallTime> TimeOf(const google::protobuf::Timestamp& stamp, WallTime now, const char* field) {
  if (stamp.nanos() < 0 || stamp.nanos() > 999'999'999)
    return Fail(ErrorCode::kInvalidArgument, "nanos must be 0 to 999999999", field);
  const auto latest =
      std::chrono::floor<std::chrono::seconds>(now + kMaxTimeAhead).time_since_epoch();
  if (stamp.seconds() > latest.count())
    return Fail(ErrorCode::kInvalidArgument, "is more than 7 days ahead", field);
  if (stamp.seconds() < 0) return Fail(ErrorCode::kInvalidArgument, "is before 1970", field);
  return WallTime(std::chrono::seconds(stamp.seconds()) + Micros(stamp.nanos() / 1000));
}

}  // namespace

Status CheckAlertId(std::string_view alert_id, std::string_view field) {
  if (IsUuid(alert_id)) return {};
  return Fail(ErrorCode::kInvalidArgument, "alert_id is not a UUID in lower case",
              std::string(field));
}

Status CheckKey(const std::string& key) {
  const bool printable =
      std::all_of(key.begin(), key.end(), [](char c) { return c >= 0x21 && c <= 0x7e; });
  if (key.size() <= kMaxKeyCharacters && printable) return {};
  return Fail(ErrorCode::kInvalidArgument,
              "must be at most 64 printable ASCII characters without spaces, such as a UUID",
              "idempotency_key");
}

Status CheckText(const std::string& text) {
  if (text.empty()) return Fail(ErrorCode::kInvalidArgument, "text is empty", "text");
  if (!IsValidUtf8(text)) return Fail(ErrorCode::kInvalidArgument, "is not UTF-8", "text");
  if (ContainsNul(text)) return Fail(ErrorCode::kInvalidArgument, kContainsNul, "text");
  if (IsBlank(text))
    return Fail(ErrorCode::kInvalidArgument, "text is blank: it has no visible character", "text");
  const unsigned characters = CountSegments(text).characters;
  if (characters <= kMaxTextCharacters) return {};
  return Fail(ErrorCode::kTextTooLong,
              "has " + std::to_string(characters) + " characters; the maximum is 1600", "text");
}

Status CheckLabels(const v1::EnqueueRequest& request) {
  if (request.labels_size() > kMaxLabels)
    return Fail(ErrorCode::kTooManyItems, "the maximum is 16 labels", "labels");
  for (const auto& [name, value] : request.labels()) {
    if (name.empty() || name.size() > kMaxLabelBytes || value.size() > kMaxLabelBytes)
      return Fail(ErrorCode::kInvalidArgument,
                  "names must have 1 to 64 bytes, values at most 64 (an accented letter has 2)",
                  "labels");
    if (ContainsNul(name)) return Fail(ErrorCode::kInvalidArgument, kContainsNul, "labels.key");
    if (ContainsNul(value)) return Fail(ErrorCode::kInvalidArgument, kContainsNul, "labels.value");
  }
  return {};
}

Status CheckActorId(std::string_view actor_id) {
  if (!actor_id.empty() && IsValidUtf8(actor_id) &&
      CountSegments(actor_id).characters <= kMaxActorIdCharacters && !HasControlCharacter(actor_id))
    return {};
  return Fail(ErrorCode::kInvalidArgument,
              "must be 1 to 64 characters without control characters, such as a user id",
              "actor_id");
}

Status CheckPerson(std::string_view person, std::string field) {
  const bool printable = std::ranges::all_of(person, [](char c) { return c >= 0x21 && c <= 0x7e; });
  if (!person.empty() && person.size() <= kMaxPersonCharacters && printable) return {};
  return Fail(ErrorCode::kInvalidArgument,
              "must be 1 to 64 printable ASCII characters without spaces, such as a user id",
              std::move(field));
}

Result<SendWindow> SendWindowOf(const v1::EnqueueRequest& request, WallTime now) {
  WallTime send_time = now;
  if (request.has_send_time()) {
    TOCSIN_TRY(send_time, TimeOf(request.send_time(), now, "send_time"));
  }
  WallTime expire_time =
      std::min(std::max(send_time, now) + DefaultLifetime(request.priority()), now + kMaxTimeAhead);
  if (request.has_expire_time()) {
    TOCSIN_TRY(expire_time, TimeOf(request.expire_time(), now, "expire_time"));
  }
  if (expire_time <= std::max(send_time, now) && !request.has_expire_time())
    return Fail(ErrorCode::kInvalidArgument,
                "leaves no time to send within 7 days; choose an earlier time", "send_time");
  if (expire_time <= std::max(send_time, now))
    return Fail(ErrorCode::kInvalidArgument, "must be after now and after send_time",
                "expire_time");
  return SendWindow{send_time, expire_time};
}

}  // namespace tocsin
