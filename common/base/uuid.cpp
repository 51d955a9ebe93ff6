#include "common/base/uuid.h"

#include <cstdint>
#include <cstdlib>

#include "common/base/digest.h"
#include "common/base/encoding.h"

namespace tocsin {
namespace {

// The namespace of Tocsin's version 5 UUIDs: 8f1c2f5e-4d0b-4b7a-9b53-746f6373696e.
constexpr std::string_view kNamespace(
    "\x8f\x1c\x2f\x5e\x4d\x0b\x4b\x7a\x9b\x53\x74\x6f\x63\x73\x69\x6e", 16);

std::string WithVersion(std::string bytes, unsigned version) {
  bytes[6] = static_cast<char>((static_cast<unsigned char>(bytes[6]) & 0x0f) | (version << 4));
  bytes[8] = static_cast<char>((static_cast<unsigned char>(bytes[8]) & 0x3f) | 0x80);
  return UuidFromBytes(bytes);
}

std::string TimeAndRest(std::chrono::sys_time<std::chrono::milliseconds> time,
                        std::string_view rest) {
  if (rest.size() < 10) std::abort();
  const auto millis = static_cast<std::uint64_t>(time.time_since_epoch().count());
  std::string bytes;
  for (int shift = 40; shift >= 0; shift -= 8) bytes += static_cast<char>(millis >> shift);
  return bytes.append(rest.substr(0, 10));
}

}  // namespace

std::string MakeUuidV7(std::chrono::sys_time<std::chrono::milliseconds> time,
                       std::string_view random) {
  return WithVersion(TimeAndRest(time, random), 7);
}

std::string MakeUuidV5(std::string_view name) {
  return WithVersion(Sha1(std::string(kNamespace).append(name)).substr(0, 16), 5);
}

std::string MakeUuidV8(std::chrono::sys_time<std::chrono::milliseconds> time,
                       std::string_view digest) {
  return WithVersion(TimeAndRest(time, digest), 8);
}

std::string FirstUuidAt(std::chrono::sys_time<std::chrono::milliseconds> time) {
  return UuidFromBytes(TimeAndRest(time, std::string(10, '\0')));
}

std::string UuidFromBytes(std::string_view bytes16) {
  if (bytes16.size() != 16) std::abort();
  const std::string hex = HexEncode(bytes16);
  return hex.substr(0, 8) + '-' + hex.substr(8, 4) + '-' + hex.substr(12, 4) + '-' +
         hex.substr(16, 4) + '-' + hex.substr(20);
}

std::optional<std::string> UuidToBytes(std::string_view text) {
  if (text.size() != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-')
    return std::nullopt;
  std::string hex;
  for (const char c : text) {
    if (c >= 'A' && c <= 'F') return std::nullopt;  // lower case only: one text per id
    if (c != '-') hex += c;
  }
  auto bytes = HexDecode(hex);
  if (!bytes || bytes->size() != 16) return std::nullopt;
  return *std::move(bytes);
}

bool IsUuid(std::string_view text) { return UuidToBytes(text).has_value(); }

std::optional<std::chrono::sys_time<std::chrono::milliseconds>> TimeOfUuid(std::string_view text) {
  const auto bytes = UuidToBytes(text);
  if (!bytes) return std::nullopt;
  const unsigned version = static_cast<unsigned char>((*bytes)[6]) >> 4;
  if (version != 7 && version != 8) return std::nullopt;
  std::int64_t millis = 0;
  for (size_t i = 0; i < 6; ++i) millis = (millis << 8) | static_cast<unsigned char>((*bytes)[i]);
  return std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(millis));
}

}  // namespace tocsin
