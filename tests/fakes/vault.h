// A vault that inverts bytes instead of encrypting. It detects content that is opened in another
// context or published in the clear.
#pragma once

#include <algorithm>
#include <string>

#include "common/base/digest.h"
#include "common/ports/vault.h"

namespace tocsin {

class FakeVault final : public Vault {
 public:
  bool keys_unavailable = false;

  Result<SealedValue> Seal(const SealContext& context, std::string_view plain) override {
    if (keys_unavailable) return Fail(ErrorCode::kKmsUnavailable, "no keys");
    SealedValue value;
    value.sealed.set_ciphertext(Inverted(Bound(context) + std::string(plain)));
    return value;
  }

  Result<Pii> Open(const SealContext& context, const records::v1::WrappedKey&,
                   const records::v1::SealedValue& sealed) override {
    if (keys_unavailable) return Fail(ErrorCode::kKmsUnavailable, "no keys");
    const std::string plain = Inverted(sealed.ciphertext());
    const std::string bound = Bound(context);
    if (!plain.starts_with(bound))
      return Fail(ErrorCode::kDataCorrupted, "sealed in another context");
    return Pii(plain.substr(bound.size()));
  }

  records::v1::RecipientRef MakeRecipientRef(const Phone& phone) override {
    records::v1::RecipientRef recipient;
    recipient.set_token(Sha256(phone.E164()));
    recipient.set_token_version(1);
    recipient.set_last_four(phone.LastFour());
    recipient.set_region_code(phone.RegionCode());
    return recipient;
  }

  std::string DigestRequest(std::string_view canonical) override { return Sha256(canonical); }
  std::string DigestBody(std::string_view text) override { return Sha256(text); }
  std::string SignCallback(std::string_view message, std::uint32_t& version) override {
    version = 1;
    return Sha256(message).substr(0, 16);
  }
  bool CheckCallback(std::string_view message, std::uint32_t version,
                     std::string_view mac) override {
    return version == 1 && Sha256(message).substr(0, 16) == mac;
  }
  std::string SignAckLink(std::string_view message) override {
    return Sha256("ack link\n" + std::string(message)).substr(0, 16);
  }
  bool CheckAckLink(std::string_view message, std::string_view mac) override {
    return SignAckLink(message) == mac;
  }

 private:
  static std::string Bound(const SealContext& context) {
    return std::string(context.client_id) + '/' + std::string(context.record_id) + '/' +
           std::string(context.field) + '\n';
  }
  static std::string Inverted(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return static_cast<char>(~c); });
    return text;
  }
};

}  // namespace tocsin
