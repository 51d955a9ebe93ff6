// Encryption of content, and references to people that can be compared but not read.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/domain/message/phone.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

// What a sealed value is bound to: it opens only in the same context.
struct SealContext {
  std::string_view client_id;
  std::string_view record_id;  // alert_id, webhook_id
  std::string_view field;      // "content", "raw_body"
};

// The field of a work record's content.
constexpr std::string_view kContentField = "content";

struct SealedValue {
  records::v1::SealedValue sealed;
  records::v1::WrappedKey key;
};

// Safe to use from several threads. Does not block with a keyring file; blocks for the KMS's
// timeout at most with a KMS.
class Vault {
 public:
  virtual ~Vault() = default;

  // Encrypts under a new data key. kKmsUnavailable if there is no key: never returns clear text.
  virtual Result<SealedValue> Seal(const SealContext& context, std::string_view plain) = 0;

  // Decrypts. kDataCorrupted if the value or its context was changed, kNotFound if the key was
  // deleted, kKmsUnavailable.
  virtual Result<Pii> Open(const SealContext& context, const records::v1::WrappedKey& key,
                           const records::v1::SealedValue& sealed) = 0;

  // Keyed token, last four digits and region of the number.
  virtual records::v1::RecipientRef MakeRecipientRef(const Phone& phone) = 0;

  // Keyed digests, 32 bytes: of a request, for idempotency; of a text, to find duplicates.
  virtual std::string DigestRequest(std::string_view canonical) = 0;
  virtual std::string DigestBody(std::string_view text) = 0;

  // The first 16 bytes of HMAC-SHA256 under the newest callback key, whose version is stored in
  // `version`; and the check of such a MAC under the key of `version`.
  virtual std::string SignCallback(std::string_view message, std::uint32_t& version) = 0;
  virtual bool CheckCallback(std::string_view message, std::uint32_t version,
                             std::string_view mac) = 0;

  // The same for acknowledgement links, under keys derived from the callback keys. A link is short,
  // so it does not name the version: the MAC is checked under each of them.
  virtual std::string SignAckLink(std::string_view message) = 0;
  virtual bool CheckAckLink(std::string_view message, std::string_view mac) = 0;
};

}  // namespace tocsin
