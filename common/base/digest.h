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

// From OpenSSL's CSPRNG by way of a small store per thread, for a draw costs the same for 12 bytes
// as for 4 KiB. What was taken is overwritten in the store at once. A forked child would repeat its
// parent's bytes: no program of Tocsin forks after its first draw.
std::string RandomBytes(size_t count);
void FillRandom(void* out, size_t count);

// Time depends on the lengths only. Different lengths are unequal.
bool ConstantTimeEqual(std::string_view a, std::string_view b);

}  // namespace tocsin
