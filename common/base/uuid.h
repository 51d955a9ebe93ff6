// UUIDs (RFC 9562) in their 36-character lower-case text form.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace tocsin {

// 48 bits of UTC milliseconds, then `random` (at least 10 bytes, from a CSPRNG).
std::string MakeUuidV7(std::chrono::sys_time<std::chrono::milliseconds> time,
                       std::string_view random);

// SHA-1 of Tocsin's namespace and `name`: the same name always gives the same id.
std::string MakeUuidV5(std::string_view name);

// 48 bits of UTC milliseconds, then bits of `digest` (at least 10 bytes).
std::string MakeUuidV8(std::chrono::sys_time<std::chrono::milliseconds> time,
                       std::string_view digest);

bool IsUuid(std::string_view text);
std::optional<std::string> UuidToBytes(std::string_view text);  // 16 bytes
std::string UuidFromBytes(std::string_view bytes16);            // aborts unless 16 bytes

// The lowest UUID of a millisecond: its 48 bits, then zeros. UUIDs of versions 7 and 8 sort before
// or after it as their times do. `time` is from 1970 to 10889.
std::string FirstUuidAt(std::chrono::sys_time<std::chrono::milliseconds> time);

// The UTC time in the first 48 bits of a UUID of version 7 or 8; nothing for any other text.
std::optional<std::chrono::sys_time<std::chrono::milliseconds>> TimeOfUuid(std::string_view text);

}  // namespace tocsin
