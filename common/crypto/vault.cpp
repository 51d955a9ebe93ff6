#include "common/crypto/vault.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#include "common/base/digest.h"

namespace tocsin::crypto {
namespace {

constexpr std::uint32_t kSchema = 1;
constexpr size_t kDekIdBytes = 16;
constexpr size_t kNonceBytes = 12;
constexpr size_t kTagBytes = 16;
constexpr size_t kWrappedBytes = kNonceBytes + kKeyBytes + kTagBytes;
constexpr size_t kCallbackMacBytes = 16;
constexpr std::string_view kBodyLabel =
    "body\n";  // domain separation: a body never has the token of a number
constexpr std::string_view kAckLinkLabel = "tocsin acknowledgement link 1";

// Under a key that is derived from a callback key for this purpose.
std::string AckLinkMac(const KeyBytes& callback_key, std::string_view message) {
  std::string key = HmacSha256(callback_key.View(), kAckLinkLabel);
  const std::string mac = HmacSha256(key, message);
  Cleanse(key.data(), key.size());
  return mac.substr(0, kCallbackMacBytes);
}

[[noreturn]] void AbortOnCipherError() {
  std::fputs("tocsin: OpenSSL cannot compute AES-256-GCM\n", stderr);
  std::abort();
}

struct ContextDeleter {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using OwnedContext = std::unique_ptr<EVP_CIPHER_CTX, ContextDeleter>;

OwnedContext MakeContext() {
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  OwnedContext context(EVP_CIPHER_CTX_new());
  if (cipher == nullptr || context == nullptr ||
      EVP_EncryptInit_ex2(context.get(), cipher, nullptr, nullptr, nullptr) != 1)
    AbortOnCipherError();
  return context;
}

// One per thread. The cipher is set once: setting it again rebuilds the context, which costs more
// than sealing a text message.
EVP_CIPHER_CTX* Context() {
  thread_local const OwnedContext context = MakeContext();
  return context.get();
}

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

// Concatenates length-prefixed fields: different lists of fields never have the same encoding.
class AadBuilder {
 public:
  AadBuilder() { bytes_.reserve(kTypicalBytes); }
  AadBuilder& Add(std::string_view field) {
    AddNumber(static_cast<std::uint32_t>(field.size()));
    bytes_.append(field);
    return *this;
  }
  AadBuilder& Add(std::uint32_t number) {
    AddNumber(sizeof number);
    AddNumber(number);
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void AddNumber(std::uint32_t number) {  // big endian
    for (int shift = 24; shift >= 0; shift -= 8) bytes_ += static_cast<char>(number >> shift);
  }

  static constexpr size_t kTypicalBytes = 160;

  std::string bytes_;
};

// Appends the ciphertext of `plaintext` and the authentication tag to `out`.
void Encrypt(const KeyBytes& key, std::string_view nonce, std::string_view aad,
             std::string_view plaintext, std::string& out) {
  EVP_CIPHER_CTX* const context = Context();
  const size_t begin = out.size();
  out.resize(begin + plaintext.size() + kTagBytes);
  unsigned char* const to = Bytes(out) + begin;
  int size = 0;
  if (EVP_EncryptInit_ex2(context, nullptr, key.data(), Bytes(nonce), nullptr) != 1 ||
      EVP_EncryptUpdate(context, nullptr, &size, Bytes(aad), static_cast<int>(aad.size())) != 1 ||
      EVP_EncryptUpdate(context, to, &size, Bytes(plaintext), static_cast<int>(plaintext.size())) !=
          1 ||
      EVP_EncryptFinal_ex(context, to + plaintext.size(), &size) != 1 ||
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagBytes, to + plaintext.size()) != 1)
    AbortOnCipherError();
}

// Decrypts `sealed` (ciphertext and tag) to `out`, which has room for the plaintext. False, and
// `out` is overwritten with zeroes, if authentication fails.
bool Decrypt(const KeyBytes& key, std::string_view nonce, std::string_view aad,
             std::string_view sealed, unsigned char* out) {
  EVP_CIPHER_CTX* const context = Context();
  const size_t plaintext_size = sealed.size() - kTagBytes;
  std::array<char, kTagBytes> tag{};
  sealed.copy(tag.data(), kTagBytes, plaintext_size);
  int size = 0;
  if (EVP_DecryptInit_ex2(context, nullptr, key.data(), Bytes(nonce), nullptr) != 1 ||
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag.data()) != 1 ||
      EVP_DecryptUpdate(context, nullptr, &size, Bytes(aad), static_cast<int>(aad.size())) != 1 ||
      EVP_DecryptUpdate(context, out, &size, Bytes(sealed), static_cast<int>(plaintext_size)) != 1)
    AbortOnCipherError();
  if (EVP_DecryptFinal_ex(context, out + plaintext_size, &size) == 1) return true;
  Cleanse(out, plaintext_size);
  return false;
}

std::string AadOf(const SealContext& context, std::uint32_t schema, std::string_view dek_id) {
  return AadBuilder()
      .Add(context.client_id)
      .Add(context.record_id)
      .Add(context.field)
      .Add(schema)
      .Add(dek_id)
      .bytes();
}

std::string AadOf(std::string_view alias, std::uint32_t version, std::string_view dek_id) {
  return AadBuilder().Add(alias).Add(version).Add(dek_id).bytes();
}

tl::unexpected<Error> Corrupted(const char* problem) {
  return Fail(ErrorCode::kDataCorrupted, std::string("vault: ") + problem);
}

// The time in ms (6 bytes, as in a UUIDv7) and random bytes: the keys of one hour are neighbors in
// an index, so that its cost does not grow with what is stored.
std::string NewDekId() {
  const auto time = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  std::string id;
  for (int shift = 40; shift >= 0; shift -= 8)
    id.push_back(static_cast<char>(time.time_since_epoch().count() >> shift));
  return id + RandomBytes(kDekIdBytes - id.size());
}

}  // namespace

Result<SealedValue> KeyringVault::Seal(const SealContext& context, std::string_view plaintext) {
  if (plaintext.size() > kMaxPlaintext)
    return Fail(ErrorCode::kTextTooLong,
                "vault: more than " + std::to_string(kMaxPlaintext) + " bytes");
  KeyBytes dek;
  FillRandom(dek.data(), kKeyBytes);
  const std::string dek_id = NewDekId();
  const std::string nonce = RandomBytes(kNonceBytes);

  SealedValue value;
  value.key = Wrap(dek_id, dek);
  value.sealed.set_dek_id(dek_id);
  value.sealed.set_schema(kSchema);
  value.sealed.set_nonce(nonce);
  Encrypt(dek, nonce, AadOf(context, kSchema, dek_id), plaintext,
          *value.sealed.mutable_ciphertext());
  return value;
}

Result<Pii> KeyringVault::Open(const SealContext& context, const records::v1::WrappedKey& key,
                               const records::v1::SealedValue& sealed) {
  if (sealed.schema() != kSchema || sealed.dek_id().size() != kDekIdBytes ||
      sealed.nonce().size() != kNonceBytes || sealed.ciphertext().size() < kTagBytes ||
      sealed.ciphertext().size() > kMaxPlaintext + kTagBytes)
    return Corrupted("malformed sealed value");
  if (sealed.dek_id() != key.dek_id()) return Corrupted("data key of another value");
  TOCSIN_TRY(const KeyBytes dek, Unwrap(key));
  std::string plaintext(sealed.ciphertext().size() - kTagBytes, '\0');
  if (!Decrypt(dek, sealed.nonce(), AadOf(context, sealed.schema(), sealed.dek_id()),
               sealed.ciphertext(), Bytes(plaintext)))
    return Corrupted("authentication of a sealed value failed");
  return Pii(std::move(plaintext));
}

records::v1::WrappedKey KeyringVault::Wrap(std::string_view dek_id, const KeyBytes& dek) const {
  const std::string nonce = RandomBytes(kNonceBytes);
  const std::uint32_t version = keyring_.NewestVersion(KeyPurpose::kKek);
  records::v1::WrappedKey key;
  key.set_dek_id(dek_id.data(), dek_id.size());
  key.set_kek_alias(keyring_.Alias());
  key.set_kek_version(version);
  std::string& wrapped = *key.mutable_wrapped();
  wrapped.reserve(kWrappedBytes);
  wrapped.append(nonce);
  Encrypt(keyring_.Newest(KeyPurpose::kKek), nonce, AadOf(keyring_.Alias(), version, dek_id),
          dek.View(), wrapped);
  return key;
}

Result<KeyBytes> KeyringVault::Unwrap(const records::v1::WrappedKey& key) const {
  if (key.dek_id().size() != kDekIdBytes || key.wrapped().size() != kWrappedBytes)
    return Corrupted("malformed wrapped key");
  const KeyBytes* kek = key.kek_alias() == keyring_.Alias()
                            ? keyring_.Find(KeyPurpose::kKek, key.kek_version())
                            : nullptr;
  if (kek == nullptr)
    return Fail(ErrorCode::kNotFound, "vault: key-encryption key not in the keyring");
  const std::string_view wrapped = key.wrapped();
  KeyBytes dek;
  if (!Decrypt(*kek, wrapped.substr(0, kNonceBytes),
               AadOf(key.kek_alias(), key.kek_version(), key.dek_id()), wrapped.substr(kNonceBytes),
               dek.data()))
    return Corrupted("authentication of a wrapped key failed");
  return dek;
}

Result<records::v1::WrappedKey> KeyringVault::Rewrap(const records::v1::WrappedKey& key) const {
  TOCSIN_TRY(const KeyBytes dek, Unwrap(key));
  return Wrap(key.dek_id(), dek);
}

records::v1::RecipientRef KeyringVault::MakeRecipientRef(const Phone& phone) {
  records::v1::RecipientRef recipient;
  recipient.set_token(HmacSha256(keyring_.Newest(KeyPurpose::kToken).View(), phone.E164()));
  recipient.set_token_version(keyring_.NewestVersion(KeyPurpose::kToken));
  recipient.set_last_four(phone.LastFour());
  recipient.set_region_code(phone.RegionCode());
  return recipient;
}

std::string KeyringVault::DigestRequest(std::string_view canonical) {
  return HmacSha256(keyring_.Newest(KeyPurpose::kDigest).View(), canonical);
}

std::string KeyringVault::DigestBody(std::string_view text) {
  return HmacSha256(keyring_.Newest(KeyPurpose::kToken).View(),
                    std::string(kBodyLabel).append(text));
}

std::string KeyringVault::SignCallback(std::string_view message, std::uint32_t& version) {
  version = keyring_.NewestVersion(KeyPurpose::kCallback);
  return HmacSha256(keyring_.Newest(KeyPurpose::kCallback).View(), message)
      .substr(0, kCallbackMacBytes);
}

bool KeyringVault::CheckCallback(std::string_view message, std::uint32_t version,
                                 std::string_view mac) {
  const KeyBytes* key = keyring_.Find(KeyPurpose::kCallback, version);
  return key != nullptr &&
         ConstantTimeEqual(HmacSha256(key->View(), message).substr(0, kCallbackMacBytes), mac);
}

std::string KeyringVault::SignAckLink(std::string_view message) {
  return AckLinkMac(keyring_.Newest(KeyPurpose::kCallback), message);
}

bool KeyringVault::CheckAckLink(std::string_view message, std::string_view mac) {
  return std::ranges::any_of(keyring_.Versions(KeyPurpose::kCallback), [&](const KeyBytes* key) {
    return ConstantTimeEqual(AckLinkMac(*key, message), mac);
  });
}

}  // namespace tocsin::crypto
