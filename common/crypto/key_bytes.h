// 256 bits of key that leave no trace in memory once they are gone.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace tocsin::crypto {

constexpr size_t kKeyBytes = 32;

// Overwrites `size` bytes in a way the compiler cannot leave out.
void Cleanse(void* data, size_t size);

// An owned key. Copies are keys of their own; each is overwritten when destroyed.
class KeyBytes {
 public:
  KeyBytes() = default;  // zeroes, to be filled through data()
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
