// Digests and random bytes (OpenSSL 3). All functions are thread-safe and do not block for long.
// They abort if OpenSSL fails: no caller could continue safely.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tocsin {

std::string Sha256(std::string_view data);                            // 32 bytes
std::string Sha1(std::string_view data);                              // 20 bytes; for UUIDv5 only
std::string HmacSha256(std::string_view key, std::string_view data);  // 32 bytes
std::string HmacSha1(std::string_view key,
                     std::string_view data);  // 20 bytes; for Twilio's signature

// From OpenSSL's CSPRNG, buffered per thread: a call of the CSPRNG costs the same for 12 bytes as
// for 4 KiB. Bytes are erased from the buffer when they are returned. A forked child would repeat
// its parent's bytes, so a program must not fork after the first call.
std::string RandomBytes(size_t count);
void FillRandom(void* out, size_t count);

// The time depends on the lengths only. Strings of different lengths are unequal.
bool ConstantTimeEqual(std::string_view a, std::string_view b);

}  // namespace tocsin
