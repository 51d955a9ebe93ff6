#include "services/ingress/ack_links/ack_token.h"

#include <limits>

#include "common/base/big_endian.h"
#include "common/base/digest.h"
#include "common/base/encoding.h"
#include "common/base/uuid.h"

namespace tocsin::ingress {
namespace {

// Format (1), alert id (16), step (1), expire time in seconds (4); big endian. Then the MAC (16) of
// everything before it.
constexpr char kFormat = 1;
constexpr std::size_t kIdBytes = 16;
constexpr std::size_t kContentBytes = 22;
constexpr std::size_t kMacBytes = 16;
constexpr std::size_t kTokenBytes = kContentBytes + kMacBytes;
static_assert((kTokenBytes * 8 + 5) / 6 == kAckTokenChars);

}  // namespace

Result<std::string> MakeAckToken(Vault& vault, const AckTokenContent& content) {
  const auto id = UuidToBytes(content.alert_id);
  const std::int64_t expire_seconds =
      std::chrono::floor<std::chrono::seconds>(content.expire_time).time_since_epoch().count();
  if (!id || content.step < 1 || content.step > std::numeric_limits<std::uint8_t>::max() ||
      expire_seconds < 0 || expire_seconds > std::numeric_limits<std::uint32_t>::max())
    return Fail(ErrorCode::kInvalidArgument,
                "acknowledgement link: alert_id is not a UUID, or step or expire_time is invalid");
  std::string bytes(1, kFormat);
  bytes += *id;
  AppendBigEndian(bytes, static_cast<std::uint64_t>(content.step), 1);
  AppendBigEndian(bytes, static_cast<std::uint64_t>(expire_seconds), 4);
  const std::string mac = vault.SignAckLink(bytes);
  return Base64UrlEncode(bytes += mac);
}

Result<AckTokenContent> ParseAckToken(Vault& vault, std::string_view token) {
  const auto malformed = [] {
    return Fail(ErrorCode::kInvalidArgument, "malformed token of an acknowledgement link");
  };
  if (token.size() != kAckTokenChars) return malformed();
  const auto bytes = Base64UrlDecode(token);  // refuses several texts of the same bytes
  if (!bytes || bytes->size() != kTokenBytes || bytes->front() != kFormat) return malformed();
  const std::string_view content = std::string_view(*bytes).substr(0, kContentBytes);
  if (!vault.CheckAckLink(content, std::string_view(*bytes).substr(kContentBytes)))
    return Fail(ErrorCode::kPermissionDenied, "token of an acknowledgement link: invalid MAC");
  std::string_view in = content.substr(1);
  AckTokenContent parsed;
  parsed.alert_id = UuidFromBytes(in.substr(0, kIdBytes));
  in.remove_prefix(kIdBytes);
  parsed.step = static_cast<std::int32_t>(ReadBigEndian(in, 1));
  parsed.expire_time =
      WallTime(std::chrono::seconds(static_cast<std::int64_t>(ReadBigEndian(in, 4))));
  return parsed;
}

std::string EvidenceOf(std::string_view token) { return Sha256(token); }

}  // namespace tocsin::ingress
