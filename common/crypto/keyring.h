// The keys of an installation, in one file: JSON, read and written by its owner alone.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/crypto/key_bytes.h"

namespace tocsin::crypto {

// What a key is for. No key serves two purposes.
enum class KeyPurpose {
  kKek,       // wraps data keys
  kToken,     // turns numbers and bodies into tokens
  kDigest,    // digests of requests (idempotency)
  kCallback,  // signs the token in callback URLs
};
constexpr std::array kKeyPurposes = {KeyPurpose::kKek, KeyPurpose::kToken, KeyPurpose::kDigest,
                                     KeyPurpose::kCallback};
std::string_view NameOf(
    KeyPurpose purpose);  // "kek", "token", "digest", "callback": as in the file

// A key as people may see it.
struct KeyListing {
  KeyPurpose purpose;
  std::uint32_t version;
  WallTime created;  // whole seconds
  bool active;       // the newest of its purpose: new work uses it
};

constexpr size_t kMaxKeyringFile = 64 * 1024;  // bytes
constexpr size_t kMaxKeyVersions = 64;         // of one purpose

// Versioned keys by purpose; the newest version is active, older ones only open what they closed.
// Value, safe to share between threads while unchanged. Keys are overwritten when it is destroyed.
class Keyring {
 public:
  // Reads the file, at once. kInvalidConfig with the fault and how to mend it: missing, larger than
  // kMaxKeyringFile, open to group or others (`chmod 600`), malformed. The message shows no key.
  static Result<Keyring> Load(const std::string& path);

  // New random keys, version 1 of each purpose. The alias gets a random end, so that a value sealed
  // under another keyring is not found rather than corrupt.
  static Keyring Generate(WallTime now);

  // Writes a new file, mode 0600, synced to disk. kInvalidConfig when there is one already or it
  // cannot be written: a keyring is never overwritten, for what it sealed would be lost.
  Status Save(const std::string& path) const;

  // Writes the file anew in place of the one there, atomically.
  Status Replace(const std::string& path) const;

  // Adds a version and makes it active. kNotBuilt for kToken and kDigest: opt-outs and idempotency
  // keys are looked up under the newest version only, so a new one would lose them.
  Status Rotate(KeyPurpose purpose, WallTime now);

  std::vector<KeyListing> List() const;  // by purpose, rising version

  const std::string& Alias() const { return alias_; }  // of the key-encryption key
  std::uint32_t NewestVersion(KeyPurpose purpose) const;
  const KeyBytes& Newest(KeyPurpose purpose) const;
  const KeyBytes* Find(KeyPurpose purpose, std::uint32_t version) const;  // null when unknown

 private:
  struct Version {
    std::uint32_t number = 0;
    WallTime created;
    KeyBytes key;
  };
  struct Codec;  // the file's form

  Keyring() = default;
  const std::vector<Version>& Of(KeyPurpose purpose) const {
    return keys_[static_cast<size_t>(purpose)];
  }
  void Add(KeyPurpose purpose, std::uint32_t number, WallTime now);

  std::string alias_;
  std::array<std::vector<Version>, kKeyPurposes.size()> keys_;  // each rising, never empty
};

}  // namespace tocsin::crypto
