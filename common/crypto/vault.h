// The vault whose keys lie in a keyring file.
#pragma once

#include "common/crypto/keyring.h"
#include "common/ports/vault.h"

namespace tocsin::crypto {

constexpr size_t kMaxPlain = 1024 * 1024;  // bytes that are sealed at once

// AES-256-GCM (NIST SP 800-38D) by OpenSSL. Each value gets a random data key of its own, which
// travels wrapped by the newest key-encryption key. The value is bound to client, record, field,
// schema and data key; the wrapping to alias, version and data key, so that a data key can be
// wrapped anew (rotation) while what it sealed stays as it is. Thread-safe, never blocks.
class KeyringVault final : public Vault {
 public:
  explicit KeyringVault(Keyring keyring) : keyring_(std::move(keyring)) {}

  // kTextTooLong beyond kMaxPlain.
  Result<SealedValue> Seal(const SealContext& context, std::string_view plain) override;
  Result<Pii> Open(const SealContext& context, const v1::WrappedKey& key,
                   const v1::Sealed& sealed) override;

  v1::RecipientRef Refer(const Phone& phone) override;
  std::string DigestRequest(std::string_view canonical) override;
  std::string DigestBody(std::string_view text) override;

  std::string SignCallback(std::string_view message, std::uint32_t& version) override;
  bool CheckCallback(std::string_view message, std::uint32_t version,
                     std::string_view mac) override;

  // The same data key under the newest key-encryption key. Fails as Open() does.
  Result<v1::WrappedKey> Rewrap(const v1::WrappedKey& key) const;

 private:
  v1::WrappedKey Wrap(std::string_view dek_id, const KeyBytes& dek) const;
  Result<KeyBytes> Unwrap(const v1::WrappedKey& key) const;

  Keyring keyring_;
};

}  // namespace tocsin::crypto
