// Digests and random bytes (OpenSSL 3). All functions are thread-safe, never block for long, and
// abort when the library cannot serve at all: no caller could go on safely.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tocsin {

std::string Sha256(std::string_view data);                            // 32 bytes
std::string Sha1(std::string_view data);                              // 20 bytes: UUIDv5 only
std::string HmacSha256(std::string_view key, std::string_view data);  // 32 bytes
std::string HmacSha1(std::string_view key, std::string_view data);  // 20 bytes: Twilio's signature
std::string RandomBytes(size_t count);                              // CSPRNG

// Time depends on the lengths only. Different lengths are unequal.
bool ConstantTimeEqual(std::string_view a, std::string_view b);

}  // namespace tocsin
