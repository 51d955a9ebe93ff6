// The vault whose keys are in a keyring file.
#pragma once

#include "common/crypto/keyring.h"
#include "common/ports/vault.h"

namespace tocsin::crypto {

constexpr size_t kMaxPlaintext = 1024 * 1024;  // bytes

// AES-256-GCM (NIST SP 800-38D) by OpenSSL, with random 96-bit nonces. Each value is encrypted
// under a random data key, which is stored next to it, wrapped by the newest key-encryption key.
// The additional authenticated data (AAD) of a value names client, record, field, schema and data
// key; the AAD of a wrapped key names alias, version and data key. A data key can therefore be
// rewrapped without re-encrypting the value. Thread-safe; never blocks.
//
// Each Seal() and Rewrap() uses the newest key-encryption key once. With random nonces, section 8.3
// of the standard allows 2^32 uses of one key: 143 days at 10 million alerts a day with two
// callbacks each. Nothing counts them; the key must be replaced earlier.
class KeyringVault final : public Vault {
 public:
  explicit KeyringVault(Keyring keyring) : keyring_(std::move(keyring)) {}

  // Fails with kTextTooLong beyond kMaxPlaintext.
  Result<SealedValue> Seal(const SealContext& context, std::string_view plaintext) override;
  Result<Pii> Open(const SealContext& context, const records::v1::WrappedKey& key,
                   const records::v1::SealedValue& sealed) override;

  records::v1::RecipientRef MakeRecipientRef(const Phone& phone) override;
  std::string DigestRequest(std::string_view canonical) override;
  std::string DigestBody(std::string_view text) override;

  std::string SignCallback(std::string_view message, std::uint32_t& version) override;
  bool CheckCallback(std::string_view message, std::uint32_t version,
                     std::string_view mac) override;

  std::string SignAckLink(std::string_view message) override;
  bool CheckAckLink(std::string_view message, std::string_view mac) override;

  // Wraps the same data key under the newest key-encryption key. Fails as Open() does.
  Result<records::v1::WrappedKey> Rewrap(const records::v1::WrappedKey& key) const;

 private:
  records::v1::WrappedKey Wrap(std::string_view dek_id, const KeyBytes& dek) const;
  Result<KeyBytes> Unwrap(const records::v1::WrappedKey& key) const;

  Keyring keyring_;
};

}  // namespace tocsin::crypto
