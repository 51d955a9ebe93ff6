#include "common/crypto/key_bytes.h"

#include <openssl/crypto.h>

namespace tocsin::crypto {

void Cleanse(void* data, size_t size) { OPENSSL_cleanse(data, size); }

}  // namespace tocsin::crypto
