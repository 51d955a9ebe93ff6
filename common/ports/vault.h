// Sealing, and names for people that cannot be read: what the core needs of cryptography.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/domain/phone.h"
#include "tocsin/v1/types.pb.h"

namespace tocsin {

// What a sealed value is bound to: it opens only as what it was sealed as.
struct SealContext {
  std::string_view client_id;
  std::string_view record_id;  // alert_id, webhook_id
  std::string_view field;      // "content", "form"
};

// The field of a work record's content.
constexpr std::string_view kContentField = "content";

struct SealedValue {
  v1::Sealed sealed;
  v1::WrappedKey key;
};

// Thread-safe. Does not block with a keyring file; with a KMS up to its time-out.
class Vault {
 public:
  virtual ~Vault() = default;

  // Seals under a new data key. kKmsUnavailable when no key can be had: never clear text instead.
  virtual Result<SealedValue> Seal(const SealContext& context, std::string_view plain) = 0;

  // kCorrupt when anything was changed or moved, kNotFound when the key is gone, kKmsUnavailable.
  virtual Result<Pii> Open(const SealContext& context, const v1::WrappedKey& key,
                           const v1::Sealed& sealed) = 0;

  // For whom, comparable: keyed token, last four digits, country.
  virtual v1::RecipientRef Refer(const Phone& phone) = 0;

  // Keyed digests, 32 bytes: of a request (idempotency), of a body (twins).
  virtual std::string DigestRequest(std::string_view canonical) = 0;
  virtual std::string DigestBody(std::string_view text) = 0;

  // 16 bytes of HMAC-SHA256 under the newest callback key and its version; and the check against
  // the version named.
  virtual std::string SignCallback(std::string_view message, std::uint32_t& version) = 0;
  virtual bool CheckCallback(std::string_view message, std::uint32_t version,
                             std::string_view mac) = 0;
};

}  // namespace tocsin
