// Numbers in big-endian bytes, for formats of our own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tocsin {

// The lowest `bytes` bytes of the number.
inline void AppendBigEndian(std::string& out, std::uint64_t number, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    out += static_cast<char>(number >> shift);
}

// Removes the first `bytes` bytes from `in`, which has at least as many, and returns their number.
inline std::uint64_t ReadBigEndian(std::string_view& in, std::size_t bytes) {
  std::uint64_t number = 0;
  for (const char c : in.substr(0, bytes)) number = number << 8 | static_cast<unsigned char>(c);
  in.remove_prefix(bytes);
  return number;
}

}  // namespace tocsin
