#include "common/base/digest.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace tocsin {
namespace {

[[noreturn]] void AbortWithoutCrypto(const char* operation) {
  std::fprintf(stderr, "tocsin: OpenSSL cannot compute %s\n", operation);
  std::abort();
}

// Fetched once per process: a fetch by name costs more than the digest itself.
const EVP_MD* FetchDigest(const char* name) {
  const EVP_MD* md = EVP_MD_fetch(nullptr, name, nullptr);
  if (md == nullptr) AbortWithoutCrypto(name);
  return md;
}
const EVP_MD* Md256() {
  static const EVP_MD* md = FetchDigest("SHA256");
  return md;
}
const EVP_MD* Md1() {
  static const EVP_MD* md = FetchDigest("SHA1");
  return md;
}

std::string Digest(const EVP_MD* md, std::string_view data) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  if (EVP_Digest(data.data(), data.size(), reinterpret_cast<unsigned char*>(out.data()), &size, md,
                 nullptr) != 1)
    AbortWithoutCrypto("a digest");
  out.resize(size);
  return out;
}

struct FreeMac {
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};
using MacContext = std::unique_ptr<EVP_MAC_CTX, FreeMac>;

MacContext NewHmac(const char* digest) {
  EVP_MAC* mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  if (mac == nullptr) AbortWithoutCrypto("an HMAC");
  MacContext context(EVP_MAC_CTX_new(mac));
  EVP_MAC_free(mac);
  std::string name(digest);
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name.data(), 0),
      OSSL_PARAM_construct_end()};
  if (!context || EVP_MAC_CTX_set_params(context.get(), params) != 1) AbortWithoutCrypto("an HMAC");
  return context;
}

// `context` belongs to the calling thread and gets a new key with every call.
std::string Hmac(EVP_MAC_CTX* context, std::string_view key, std::string_view data) {
  static constexpr unsigned char kNoKey = 0;  // OpenSSL reuses the last key if given null
  const auto* bytes = key.empty() ? &kNoKey : reinterpret_cast<const unsigned char*>(key.data());
  std::string out(EVP_MAX_MD_SIZE, '\0');
  size_t size = 0;
  if (EVP_MAC_init(context, bytes, key.size(), nullptr) != 1 ||
      EVP_MAC_update(context, reinterpret_cast<const unsigned char*>(data.data()), data.size()) !=
          1 ||
      EVP_MAC_final(context, reinterpret_cast<unsigned char*>(out.data()), &size, out.size()) != 1)
    AbortWithoutCrypto("an HMAC");
  out.resize(size);
  return out;
}

void Generate(unsigned char* out, size_t count) {
  if (RAND_bytes(out, static_cast<int>(count)) != 1) AbortWithoutCrypto("random bytes");
}

class RandomBuffer {
 public:
  RandomBuffer() = default;
  RandomBuffer(const RandomBuffer&) = delete;
  RandomBuffer& operator=(const RandomBuffer&) = delete;
  ~RandomBuffer() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

  void Take(unsigned char* out, size_t count) {
    if (count > bytes_.size()) return Generate(out, count);
    if (count > bytes_.size() - used_) {
      Generate(bytes_.data(), bytes_.size());
      used_ = 0;
    }
    std::memcpy(out, bytes_.data() + used_, count);
    OPENSSL_cleanse(bytes_.data() + used_, count);
    used_ += count;
  }

 private:
  std::array<unsigned char, 4096> bytes_{};
  size_t used_ = bytes_.size();
};

}  // namespace

std::string Sha256(std::string_view data) { return Digest(Md256(), data); }
std::string Sha1(std::string_view data) { return Digest(Md1(), data); }
std::string HmacSha256(std::string_view key, std::string_view data) {
  thread_local const MacContext context = NewHmac("SHA256");
  return Hmac(context.get(), key, data);
}
std::string HmacSha1(std::string_view key, std::string_view data) {
  thread_local const MacContext context = NewHmac("SHA1");
  return Hmac(context.get(), key, data);
}

void FillRandom(void* out, size_t count) {
  thread_local RandomBuffer buffer;
  buffer.Take(static_cast<unsigned char*>(out), count);
}

std::string RandomBytes(size_t count) {
  std::string out(count, '\0');
  FillRandom(out.data(), out.size());
  return out;
}

bool ConstantTimeEqual(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace tocsin
