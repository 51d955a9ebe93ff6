#include "common/crypto/vault.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "common/base/digest.h"
#include "common/base/encoding.h"
#include "tests/common/crypto/keyring_file.h"

namespace tocsin::crypto {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

constexpr WallTime kNow = FromUnixMicros(1'790'000'000'000'000);
constexpr SealContext kContext{.client_id = "hospital",
                               .record_id = "01990000-aaaa-7bbb-8ccc-dddddddddddd",
                               .field = "content"};
constexpr std::string_view kPlaintext = "Fire on floor 3: +15145550123, leave by stairs";

class VaultTest : public testing::Test {
 protected:
  Keyring keyring = Keyring::Generate(kNow);
  KeyringVault vault{keyring};
};

KeyringVault KnownVault() {
  const TemporaryFolder folder;
  WriteFile(folder.File("keyring"), KnownKeyring());
  return KeyringVault(*Keyring::Load(folder.File("keyring")));
}

template <typename T>
void ExpectError(const Result<T>& result, ErrorCode code) {
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, code) << result.error().message;
  EXPECT_THAT(result.error().message, Not(HasSubstr("Fire")));
}

TEST_F(VaultTest, OpensWhatItSealed) {
  for (const std::string& plain :
       {std::string(), std::string(kPlaintext), std::string(kMaxPlaintext, 'x')}) {
    const auto value = vault.Seal(kContext, plain);
    ASSERT_TRUE(value);
    const auto opened = vault.Open(kContext, value->key, value->sealed);
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_EQ(opened->Reveal(), plain);
  }
}

TEST_F(VaultTest, RefusesPlaintextThatIsTooLong) {
  ExpectError(vault.Seal(kContext, std::string(kMaxPlaintext + 1, 'x')), ErrorCode::kTextTooLong);
}

TEST_F(VaultTest, ShowsNothingOfThePlaintext) {
  const auto one = vault.Seal(kContext, kPlaintext);
  const auto two = vault.Seal(kContext, kPlaintext);
  auto key = one->key;
  key.clear_kek_alias();  // its random digits may be some of the number
  const std::string bytes = one->sealed.SerializeAsString() + key.SerializeAsString();
  for (size_t at = 0; at + 4 <= kPlaintext.size(); ++at)
    EXPECT_THAT(bytes, Not(HasSubstr(std::string(kPlaintext.substr(at, 4)))));
  EXPECT_NE(one->sealed.dek_id(), two->sealed.dek_id());
  EXPECT_NE(one->sealed.nonce(), two->sealed.nonce());
  EXPECT_NE(one->sealed.ciphertext(), two->sealed.ciphertext());
  EXPECT_NE(one->key.wrapped(), two->key.wrapped());
}

struct Swap {
  const char* name;
  std::function<void(SealContext&, SealedValue&, const SealedValue&)> swap;
};

class SwapTest : public VaultTest, public testing::WithParamInterface<Swap> {};

TEST_P(SwapTest, ReportsAMovedOrMixedValueAsCorrupted) {
  auto value = vault.Seal(kContext, kPlaintext);
  const auto other = vault.Seal(kContext, kPlaintext);
  SealContext context = kContext;
  GetParam().swap(context, *value, *other);
  ExpectError(vault.Open(context, value->key, value->sealed), ErrorCode::kDataCorrupted);
}

INSTANTIATE_TEST_SUITE_P(
    Parts, SwapTest,
    testing::Values(
        Swap{"Client", [](auto& c, auto&, auto&) { c.client_id = "school"; }},
        Swap{"Record", [](auto& c, auto&, auto&) { c.record_id = "another"; }},
        Swap{"Field", [](auto& c, auto&, auto&) { c.field = "form"; }},
        Swap{"FieldBoundary",
             [](auto& c, auto&, auto&) {
               c.client_id = "hospital0";
               c.record_id = c.record_id.substr(1);
             }},
        Swap{"Schema", [](auto&, auto& v, auto&) { v.sealed.set_schema(2); }},
        Swap{"DataKey", [](auto&, auto& v, auto& o) { v.key = o.key; }},
        Swap{"WrappedDataKey", [](auto&, auto& v, auto& o) { v.key.set_wrapped(o.key.wrapped()); }},
        Swap{"DataKeyIds",
             [](auto&, auto& v, auto& o) {
               v.key.set_dek_id(o.key.dek_id());
               v.sealed.set_dek_id(o.key.dek_id());
             }},
        Swap{"Nonce", [](auto&, auto& v, auto& o) { v.sealed.set_nonce(o.sealed.nonce()); }},
        Swap{"ShortNonce", [](auto&, auto& v, auto&) { v.sealed.mutable_nonce()->pop_back(); }},
        Swap{"Ciphertext",
             [](auto&, auto& v, auto& o) { v.sealed.set_ciphertext(o.sealed.ciphertext()); }},
        Swap{"Truncated", [](auto&, auto& v, auto&) { v.sealed.mutable_ciphertext()->pop_back(); }},
        Swap{"Longer", [](auto&, auto& v, auto&) { v.sealed.mutable_ciphertext()->push_back(0); }},
        Swap{"NoTag", [](auto&, auto& v, auto&) { v.sealed.set_ciphertext("short"); }},
        Swap{"Huge", [](auto&, auto& v,
                        auto&) { v.sealed.set_ciphertext(std::string(kMaxPlaintext + 17, 'x')); }},
        Swap{"ShortKey", [](auto&, auto& v, auto&) { v.key.mutable_wrapped()->pop_back(); }},
        Swap{"NoKey", [](auto&, auto& v, auto&) { v.key.clear_wrapped(); }}),
    [](const auto& row) { return row.param.name; });

TEST_F(VaultTest, DetectsEveryFlippedBit) {
  std::mt19937 random(20'261'121);
  const auto value = vault.Seal(kContext, kPlaintext);
  const auto flip = [&](std::string* bytes) {
    const size_t bit = random() % (bytes->size() * 8);
    (*bytes)[bit / 8] = static_cast<char>((*bytes)[bit / 8] ^ (1 << bit % 8));
  };
  for (int round = 0; round < 200; ++round) {
    SealedValue changed = *value;
    switch (round % 5) {
      case 0: flip(changed.sealed.mutable_ciphertext()); break;
      case 1: flip(changed.sealed.mutable_nonce()); break;
      case 2: flip(changed.sealed.mutable_dek_id()); break;
      case 3: flip(changed.key.mutable_wrapped()); break;
      case 4: flip(changed.key.mutable_dek_id()); break;
    }
    ExpectError(vault.Open(kContext, changed.key, changed.sealed), ErrorCode::kDataCorrupted);
  }
}

TEST_F(VaultTest, OpensValuesOfOlderKeysAndSealsUnderTheNewest) {
  const auto old_value = vault.Seal(kContext, kPlaintext);
  ASSERT_TRUE(keyring.Rotate(KeyPurpose::kKek, kNow));
  KeyringVault rotated(keyring);
  EXPECT_EQ(rotated.Open(kContext, old_value->key, old_value->sealed)->Reveal(), kPlaintext);
  const auto new_value = rotated.Seal(kContext, kPlaintext);
  EXPECT_EQ(new_value->key.kek_version(), 2U);
  ExpectError(vault.Open(kContext, new_value->key, new_value->sealed), ErrorCode::kNotFound);
}

TEST_F(VaultTest, RewrapsADataKeyWithoutChangingTheSealedValue) {
  const auto value = vault.Seal(kContext, kPlaintext);
  ASSERT_TRUE(keyring.Rotate(KeyPurpose::kKek, kNow));
  KeyringVault rotated(keyring);
  const auto rewrapped = rotated.Rewrap(value->key);
  ASSERT_TRUE(rewrapped);
  EXPECT_EQ(rewrapped->kek_version(), 2U);
  EXPECT_EQ(rotated.Open(kContext, *rewrapped, value->sealed)->Reveal(), kPlaintext);
  records::v1::WrappedKey claimed = value->key;
  claimed.set_kek_version(2);
  ExpectError(rotated.Open(kContext, claimed, value->sealed), ErrorCode::kDataCorrupted);
}

TEST_F(VaultTest, DoesNotFindTheKeyInAnotherKeyring) {
  const auto value = vault.Seal(kContext, kPlaintext);
  KeyringVault other(Keyring::Generate(kNow));
  ExpectError(other.Open(kContext, value->key, value->sealed), ErrorCode::kNotFound);
}

// The expected values were computed with Python's hmac.
TEST(KnownVault, TokensAndDigestsAreHmacSha256UnderTheirOwnKeys) {
  KeyringVault vault = KnownVault();
  const auto recipient = vault.MakeRecipientRef(*Phone::Parse("+15145550123"));
  EXPECT_EQ(HexEncode(recipient.token()),
            "1bd4f1e8f108ace063f8279fe02840a6f77923befe2e49c70b7e07cac5ad5c57");
  EXPECT_EQ(recipient.token_version(), 1U);
  EXPECT_EQ(recipient.last_four(), "0123");
  EXPECT_EQ(recipient.region_code(), "CA");
  EXPECT_EQ(HexEncode(vault.DigestRequest("request")),
            "025bed5e34b00f1e80e1d68d43d5e9705f09c46ce06712bcc5d1f5c2811e15db");
  EXPECT_EQ(HexEncode(vault.DigestBody("text")),
            "1ca4fa76da2730ccac866d481a038c847b89d55df53748e0c1904114aa49d3d8");
  std::uint32_t version = 0;
  EXPECT_EQ(HexEncode(vault.SignCallback("message", version)), "75a918583858098cc1f19e6598f0ed0e");
  EXPECT_EQ(version, 1U);
  EXPECT_EQ(HexEncode(vault.SignAckLink("message")), "a04d6a1d84e82d9dc5599c73b0ab53f2");
}

TEST_F(VaultTest, DigestOfABodyThatIsANumberIsNotTheTokenOfTheNumber) {
  EXPECT_NE(vault.DigestBody("+15145550123"),
            vault.MakeRecipientRef(*Phone::Parse("+15145550123")).token());
}

TEST_F(VaultTest, ChecksACallbackUnderTheKeyVersionThatItNames) {
  std::uint32_t version = 0;
  const std::string mac = vault.SignCallback("attempt", version);
  ASSERT_THAT(mac, SizeIs(16));
  ASSERT_TRUE(keyring.Rotate(KeyPurpose::kCallback, kNow));
  KeyringVault rotated(keyring);
  EXPECT_TRUE(rotated.CheckCallback("attempt", version, mac));
  EXPECT_FALSE(rotated.CheckCallback("attempt", 2, mac));
  EXPECT_FALSE(rotated.CheckCallback("attempt", 3, mac));
  EXPECT_FALSE(rotated.CheckCallback("Attempt", version, mac));
  EXPECT_FALSE(rotated.CheckCallback("attempt", version, mac.substr(1)));
  EXPECT_FALSE(rotated.CheckCallback("attempt", version, ""));
}

TEST_F(VaultTest, ChecksALinkUnderEveryKeyVersion) {
  const std::string mac = vault.SignAckLink("link");
  ASSERT_THAT(mac, SizeIs(16));
  ASSERT_TRUE(keyring.Rotate(KeyPurpose::kCallback, kNow));
  KeyringVault rotated(keyring);
  EXPECT_TRUE(rotated.CheckAckLink("link", mac));
  EXPECT_TRUE(rotated.CheckAckLink("link", rotated.SignAckLink("link")));
  EXPECT_FALSE(vault.CheckAckLink("link", rotated.SignAckLink("link")));
  EXPECT_FALSE(rotated.CheckAckLink("Link", mac));
  EXPECT_FALSE(rotated.CheckAckLink("link", mac.substr(1)));
  EXPECT_FALSE(rotated.CheckAckLink("link", ""));
}

}  // namespace
}  // namespace tocsin::crypto
