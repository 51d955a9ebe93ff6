#include "common/twilio/webhooks/attempt_token.h"

#include "common/base/big_endian.h"
#include "common/base/encoding.h"
#include "common/base/uuid.h"

namespace tocsin::twilio {
namespace {

// Format (1), alert id (16), step (4), attempt (4), channel (1), priority (1), partition (4),
// offset (8), time (8); big endian. Then the version of the key (4) and the MAC (16) of everything
// before the version. The MAC need not cover the version, because another version is another key.
constexpr char kFormat = 1;
constexpr size_t kIdBytes = 16;
constexpr size_t kContentBytes = 47;
constexpr size_t kVersionBytes = 4;
constexpr size_t kMacBytes = 16;
constexpr size_t kTokenBytes = kContentBytes + kVersionBytes + kMacBytes;
static_assert((kTokenBytes * 8 + 5) / 6 == kAttemptTokenChars);

}  // namespace

Result<std::string> MakeAttemptToken(Vault& vault, const AttemptTokenContent& content) {
  const auto id = UuidToBytes(content.attempt.alert_id());
  if (!id)
    return Fail(ErrorCode::kInvalidArgument, "attempt token: alert_id is not a UUID", "alert_id");
  std::string bytes(1, kFormat);
  bytes += *id;
  AppendBigEndian(bytes, content.attempt.step(), 4);
  AppendBigEndian(bytes, content.attempt.attempt(), 4);
  AppendBigEndian(bytes, static_cast<std::uint64_t>(content.channel), 1);
  AppendBigEndian(bytes, static_cast<std::uint64_t>(content.priority), 1);
  AppendBigEndian(bytes, static_cast<std::uint32_t>(content.partition), 4);
  AppendBigEndian(bytes, static_cast<std::uint64_t>(content.offset), 8);
  const auto time = std::chrono::floor<std::chrono::seconds>(content.time);
  AppendBigEndian(bytes, static_cast<std::uint64_t>(time.time_since_epoch().count()), 8);
  std::uint32_t version = 0;
  const std::string mac = vault.SignCallback(bytes, version);
  AppendBigEndian(bytes, version, kVersionBytes);
  return Base64UrlEncode(bytes += mac);
}

Result<AttemptTokenContent> ParseAttemptToken(Vault& vault, std::string_view token) {
  const auto malformed = [] {
    return Fail(ErrorCode::kInvalidArgument, "malformed attempt token", "token");
  };
  if (token.size() != kAttemptTokenChars) return malformed();
  const auto bytes = Base64UrlDecode(token);
  // Re-encoded, because unused bits of the last character would allow two texts of one token.
  if (!bytes || bytes->size() != kTokenBytes || bytes->front() != kFormat ||
      Base64UrlEncode(*bytes) != token)
    return malformed();
  const std::string_view content = std::string_view(*bytes).substr(0, kContentBytes);
  std::string_view tail = std::string_view(*bytes).substr(kContentBytes);
  const auto version = static_cast<std::uint32_t>(ReadBigEndian(tail, kVersionBytes));
  if (!vault.CheckCallback(content, version, tail))
    return Fail(ErrorCode::kPermissionDenied, "attempt token with an invalid MAC", "token");

  std::string_view in = content.substr(1);
  AttemptTokenContent parsed;
  parsed.attempt.set_alert_id(UuidFromBytes(in.substr(0, kIdBytes)));
  in.remove_prefix(kIdBytes);
  parsed.attempt.set_step(static_cast<std::int32_t>(ReadBigEndian(in, 4)));
  parsed.attempt.set_attempt(static_cast<std::int32_t>(ReadBigEndian(in, 4)));
  parsed.channel = static_cast<v1::Channel>(ReadBigEndian(in, 1));
  parsed.priority = static_cast<v1::Priority>(ReadBigEndian(in, 1));
  parsed.partition = static_cast<std::int32_t>(ReadBigEndian(in, 4));
  parsed.offset = static_cast<std::int64_t>(ReadBigEndian(in, 8));
  parsed.time = WallTime(std::chrono::seconds(static_cast<std::int64_t>(ReadBigEndian(in, 8))));
  return parsed;
}

}  // namespace tocsin::twilio
