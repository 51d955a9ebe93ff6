// The keys of an installation, in a JSON file that only its owner may read and write.
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
  kKek,       // key-encryption key: wraps data keys
  kToken,     // recipient tokens and digests of message bodies
  kDigest,    // digests of requests (idempotency)
  kCallback,  // signs the attempt token in callback URLs and, derived, acknowledgement links
};
constexpr std::array kKeyPurposes = {KeyPurpose::kKek, KeyPurpose::kToken, KeyPurpose::kDigest,
                                     KeyPurpose::kCallback};
// The purpose as it is written in the file: "kek", "token", "digest", "callback".
std::string_view NameOf(KeyPurpose purpose);

// A key without its bytes.
struct KeyListing {
  KeyPurpose purpose;
  std::uint32_t version;
  WallTime created;  // whole seconds
  bool active;       // the newest of its purpose; older versions only decrypt and verify
};

constexpr size_t kMaxKeyringFile = 64 * 1024;  // bytes
constexpr size_t kMaxKeyVersions = 64;         // of one purpose

// Versioned keys by purpose. The newest version of a purpose is active; older versions only decrypt
// and verify. Value; const member functions may run on several threads at once. The keys are
// overwritten when it is destroyed.
class Keyring {
 public:
  // Reads the file. Fails with kInvalidConfig if it is missing, larger than kMaxKeyringFile,
  // accessible to group or others, or malformed. A file of root may be readable by the group of a
  // process of another user. The message names the error and the fix, and never
  // contains a key.
  static Result<Keyring> Load(const std::string& path);

  // New random keys, version 1 of each purpose. The alias has a random suffix, so that a value that
  // was sealed under another keyring is reported as kNotFound and not as kDataCorrupted.
  static Keyring Generate(WallTime now);

  // Writes a new file with mode 0600 and syncs it to disk. Fails with kInvalidConfig if the file
  // exists or cannot be written. A keyring is never overwritten: what it sealed would be lost.
  Status Save(const std::string& path) const;

  // Replaces the file atomically and syncs it to disk. Fails with kInvalidConfig.
  Status Replace(const std::string& path) const;

  // Adds a version and makes it active. Fails with kUnimplemented for kToken and kDigest (opt-outs
  // and idempotency keys are looked up under the newest version only, so they would be lost), and
  // with kTooManyItems beyond kMaxKeyVersions.
  Status Rotate(KeyPurpose purpose, WallTime now);

  std::vector<KeyListing> List() const;  // by purpose, then by ascending version

  const std::string& Alias() const { return alias_; }  // of the key-encryption key
  std::uint32_t NewestVersion(KeyPurpose purpose) const;
  const KeyBytes& Newest(KeyPurpose purpose) const;
  const KeyBytes* Find(KeyPurpose purpose, std::uint32_t version) const;  // null if unknown
  std::vector<const KeyBytes*> Versions(KeyPurpose purpose) const;        // the newest first

 private:
  struct Version {
    std::uint32_t number = 0;
    WallTime created;
    KeyBytes key;
  };
  struct Codec;  // the file format

  Keyring() = default;
  const std::vector<Version>& Of(KeyPurpose purpose) const {
    return keys_[static_cast<size_t>(purpose)];
  }
  void Add(KeyPurpose purpose, std::uint32_t number, WallTime now);

  std::string alias_;
  std::array<std::vector<Version>, kKeyPurposes.size()> keys_;  // ascending, never empty
};

}  // namespace tocsin::crypto
