#include "common/domain/request_rules.h"

#include <algorithm>
#include <string_view>

#include "common/domain/segments.h"

namespace tocsin {
namespace {

using std::chrono::hours;

// How long an alert is worth sending when its caller does not say.
hours DefaultLife(v1::AlertClass alert_class) {
  switch (alert_class) {
    case v1::ALERT_CLASS_EMERGENCY: return hours(1);
    case v1::ALERT_CLASS_HIGH: return hours(4);
    default: return hours(24);
  }
}

bool IsWord(std::string_view text, size_t most) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
  };
  return text.size() <= most && std::all_of(text.begin(), text.end(), fits);
}

Result<WallTime> TimeOf(const google::protobuf::Timestamp& stamp, WallTime now, const char* field) {
  if (stamp.nanos() < 0 || stamp.nanos() > 999'999'999)
    return Fail(ErrorCode::kInvalidArgument, "nanos must be 0 to 999999999", field);
  const auto latest = std::chrono::floor<std::chrono::seconds>(now + kHorizon).time_since_epoch();
  if (stamp.seconds() > latest.count())
    return Fail(ErrorCode::kInvalidArgument, "lies more than 7 days ahead", field);
  if (stamp.seconds() < 0) return Fail(ErrorCode::kInvalidArgument, "lies before 1970", field);
  return WallTime(std::chrono::seconds(stamp.seconds()) + Micros(stamp.nanos() / 1000));
}

}  // namespace

Status CheckKey(const std::string& key) {
  const bool printable =
      std::all_of(key.begin(), key.end(), [](char c) { return c >= 0x21 && c <= 0x7e; });
  if (key.size() <= kMaxKeyCharacters && printable) return {};
  return Fail(ErrorCode::kInvalidArgument,
              "at most 64 printable ASCII characters without blanks; a UUID is a good key",
              "idempotency_key");
}

Status CheckText(const std::string& text) {
  if (text.empty()) return Fail(ErrorCode::kInvalidArgument, "is empty; say something", "text");
  if (!IsValidUtf8(text) || text.find('\0') != std::string::npos)
    return Fail(ErrorCode::kInvalidArgument, "is not UTF-8 text", "text");
  const unsigned characters = CountSegments(text).characters;
  if (characters <= kMaxTextCharacters) return {};
  return Fail(ErrorCode::kTextTooLong,
              std::to_string(characters) + " characters; at most 1600 are carried, shorten it",
              "text");
}

Status CheckLabels(const v1::EnqueueRequest& request) {
  if (request.labels_size() > kMaxLabels)
    return Fail(ErrorCode::kTooManyItems, "at most 16 labels", "labels");
  for (const auto& [name, value] : request.labels())
    if (name.empty() || name.size() > kMaxLabelBytes || value.size() > kMaxLabelBytes)
      return Fail(ErrorCode::kInvalidArgument,
                  "names have 1 to 64 bytes, values at most 64; a letter with an accent has 2",
                  "labels");
  return {};
}

Result<SendWindow> SendWindowOf(const v1::EnqueueRequest& request, WallTime now) {
  WallTime send_at = now;
  if (request.has_send_at()) {
    TOCSIN_TRY(send_at, TimeOf(request.send_at(), now, "send_at"));
  }
  WallTime not_after =
      std::min(std::max(send_at, now) + DefaultLife(request.class_()), now + kHorizon);
  if (request.has_expires_at()) {
    TOCSIN_TRY(not_after, TimeOf(request.expires_at(), now, "expires_at"));
  }
  if (not_after <= std::max(send_at, now) && !request.has_expires_at())
    return Fail(ErrorCode::kInvalidArgument,
                "leaves no time to send within 7 days; choose an earlier time", "send_at");
  if (not_after <= std::max(send_at, now))
    return Fail(ErrorCode::kInvalidArgument, "must lie after now and after send_at", "expires_at");
  return SendWindow{send_at, not_after};
}

Result<v1::SpokenForm> SpokenFormOf(const v1::EnqueueRequest& request, v1::Channel channel) {
  v1::SpokenForm spoken;
  if (!request.has_voice()) return spoken;
  if (channel != v1::CHANNEL_VOICE)
    return Fail(ErrorCode::kInvalidArgument, "is for calls only; choose the voice channel",
                "voice");
  const v1::VoiceOptions& voice = request.voice();
  if (!IsWord(voice.language(), kMaxLanguageCharacters))
    return Fail(ErrorCode::kInvalidArgument, "is not a language such as en-CA", "voice.language");
  if (!IsWord(voice.voice(), kMaxVoiceCharacters))
    return Fail(ErrorCode::kInvalidArgument, "is not a voice such as alice or Polly.Joanna",
                "voice.voice");
  spoken.set_language(voice.language());
  spoken.set_voice(voice.voice());
  spoken.set_detect_machine(voice.detect_machine());
  return spoken;
}

}  // namespace tocsin
