#include "common/domain/alert/issued_id.h"

#include <algorithm>

#include "common/base/digest.h"
#include "common/base/uuid.h"

namespace tocsin {
namespace {

constexpr std::string_view kLabel = "alert id\n";  // no request has a digest with this beginning
constexpr size_t kMacBytes = 3;                    // the last bytes of the id
constexpr size_t kFlagsByte = 8;                   // after the two bits of the UUID's variant
constexpr unsigned kLifeShift = 4;
constexpr unsigned kEmergencyShift = 3;
constexpr unsigned kMaxLife = 3;

// In units of the retention, rounded down: so the state of the alert exists until one unit later,
// and by then the alert has expired.
unsigned LifeOf(WallTime create_time, WallTime expire_time) {
  const auto units = (expire_time - create_time) / kAlertStateRetention;
  return static_cast<unsigned>(std::clamp<decltype(units)>(units, 0, kMaxLife));
}

unsigned VersionOf(std::string_view id_bytes) {
  return static_cast<unsigned char>(id_bytes[6]) >> 4;
}

std::string MacOf(std::string_view id_bytes, std::string_view client_id,
                  const KeyedDigest& digest) {
  std::string text(kLabel);
  text.append(id_bytes.substr(0, id_bytes.size() - kMacBytes)).append(client_id);
  return digest(text).substr(0, kMacBytes);
}

}  // namespace

std::string IssueAlertId(const IssuedAlert& alert, std::string_view random,
                         const KeyedDigest& digest) {
  const std::string id =
      MakeUuidV7(std::chrono::floor<std::chrono::milliseconds>(alert.create_time), random);
  std::string bytes = *UuidToBytes(id);
  const unsigned others = static_cast<unsigned char>(bytes[kFlagsByte]) &
                          ~(kMaxLife << kLifeShift | 1U << kEmergencyShift);
  const unsigned life = LifeOf(alert.create_time, alert.expire_time);
  const unsigned emergency = alert.emergency ? 1 : 0;
  bytes[kFlagsByte] = static_cast<char>(others | life << kLifeShift | emergency << kEmergencyShift);
  return UuidFromBytes(
      bytes.replace(bytes.size() - kMacBytes, kMacBytes, MacOf(bytes, alert.client_id, digest)));
}

std::optional<IssuedId> ReadIssuedId(std::string_view alert_id, std::string_view client_id,
                                     const KeyedDigest& digest) {
  const auto create_time = TimeOfUuid(alert_id);
  const auto bytes = UuidToBytes(alert_id);
  if (!create_time || !bytes || VersionOf(*bytes) != 7) return std::nullopt;
  const std::string_view mac = std::string_view(*bytes).substr(bytes->size() - kMacBytes);
  if (!ConstantTimeEqual(MacOf(*bytes, client_id, digest), mac)) return std::nullopt;
  const unsigned flags = static_cast<unsigned char>((*bytes)[kFlagsByte]);
  const unsigned life = flags >> kLifeShift & kMaxLife;
  return IssuedId{.create_time = *create_time,
                  .until = *create_time + (life + 1) * kAlertStateRetention,
                  .emergency = (flags >> kEmergencyShift & 1) != 0};
}

}  // namespace tocsin
