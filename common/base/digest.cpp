#include "common/base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <cstdio>
#include <cstdlib>

namespace tocsin {
namespace {

[[noreturn]] void AbortWithoutCrypto(const char* what) {
  std::fprintf(stderr, "tocsin: OpenSSL cannot compute %s\n", what);
  std::abort();
}

// Fetched once: a fetch by name on every call costs more than the digest itself.
const EVP_MD* Fetched(const char* name) {
  const EVP_MD* md = EVP_MD_fetch(nullptr, name, nullptr);
  if (md == nullptr) AbortWithoutCrypto(name);
  return md;
}
const EVP_MD* Md256() {
  static const EVP_MD* md = Fetched("SHA256");
  return md;
}
const EVP_MD* Md1() {
  static const EVP_MD* md = Fetched("SHA1");
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

std::string Hmac(const EVP_MD* md, std::string_view key, std::string_view data) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  if (HMAC(md, key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(data.data()), data.size(),
           reinterpret_cast<unsigned char*>(out.data()), &size) == nullptr)
    AbortWithoutCrypto("an HMAC");
  out.resize(size);
  return out;
}

}  // namespace

std::string Sha256(std::string_view data) { return Digest(Md256(), data); }
std::string Sha1(std::string_view data) { return Digest(Md1(), data); }
std::string HmacSha256(std::string_view key, std::string_view data) {
  return Hmac(Md256(), key, data);
}
std::string HmacSha1(std::string_view key, std::string_view data) { return Hmac(Md1(), key, data); }

std::string RandomBytes(size_t count) {
  std::string out(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(count)) != 1)
    AbortWithoutCrypto("random bytes");
  return out;
}

bool ConstantTimeEqual(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace tocsin
