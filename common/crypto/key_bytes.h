// A 256-bit key that is overwritten in memory when it is destroyed.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace tocsin::crypto {

constexpr size_t kKeyBytes = 32;

// Overwrites `size` bytes with zeroes; the compiler cannot remove it.
void Cleanse(void* data, size_t size);

// Value. Every copy is overwritten when it is destroyed.
class KeyBytes {
 public:
  KeyBytes() = default;  // zeroes; filled through data()
  ~KeyBytes() { Cleanse(bytes_.data(), bytes_.size()); }
  KeyBytes(const KeyBytes&) = default;
  KeyBytes& operator=(const KeyBytes&) = default;

  const unsigned char* data() const { return bytes_.data(); }
  unsigned char* data() { return bytes_.data(); }
  std::array<unsigned char, kKeyBytes>& bytes() { return bytes_; }
  std::string_view View() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }

 private:
  std::array<unsigned char, kKeyBytes> bytes_{};
};

}  // namespace tocsin::crypto
