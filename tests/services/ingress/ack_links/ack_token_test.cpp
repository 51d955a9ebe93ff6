#include "services/ingress/ack_links/ack_token.h"

#include <gtest/gtest.h>

#include "common/base/encoding.h"
#include "common/base/uuid.h"
#include "common/crypto/vault.h"
#include "tests/common/crypto/keyring_file.h"

namespace tocsin::ingress {
namespace {

constexpr WallTime kExpire = FromUnixMicros(1'790'000'000'987'654);
// Computed with Python's hmac from the known keyring.
constexpr const char* kGolden = "AQGZAACqqnu7jMzd3d3d3d0BarE7gAuBIcuu23xKhSgHu81ehJE";

AckTokenContent AContent() {
  return {.alert_id = "01990000-aaaa-7bbb-8ccc-dddddddddddd", .step = 1, .expire_time = kExpire};
}

crypto::Keyring KnownKeyring() {
  const crypto::TemporaryFolder folder;
  crypto::WriteFile(folder.File("keyring"), crypto::KnownKeyring());
  return *crypto::Keyring::Load(folder.File("keyring"));
}

void ExpectError(const Result<AckTokenContent>& parsed, ErrorCode code) {
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, code);
}

class AckTokenTest : public testing::Test {
 protected:
  crypto::Keyring keyring = KnownKeyring();
  crypto::KeyringVault vault{keyring};
};

TEST_F(AckTokenTest, HasAFixedForm) {
  EXPECT_EQ(*MakeAckToken(vault, AContent()), kGolden);
  EXPECT_EQ(std::string(kGolden).size(), kAckTokenChars);
  EXPECT_EQ(HexEncode(EvidenceOf(kGolden)),
            "24bfbafd0929bb51fb26ce2d3fda21a64b3ef255eb7d772e863d1975b90ac0b2");
}

TEST_F(AckTokenTest, ContainsAlertStepAndExpireTime) {
  AckTokenContent content = AContent();
  content.step = 255;
  const auto parsed = ParseAckToken(vault, *MakeAckToken(vault, content));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->alert_id, content.alert_id);
  EXPECT_EQ(parsed->step, 255);
  EXPECT_EQ(parsed->expire_time, std::chrono::floor<std::chrono::seconds>(kExpire));
}

TEST_F(AckTokenTest, IsInvalidIfAnyBitIsChanged) {
  const std::string bytes = *Base64UrlDecode(kGolden);
  for (size_t i = 0; i < bytes.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      EXPECT_FALSE(ParseAckToken(vault, Base64UrlEncode(changed))) << i << '.' << bit;
    }
}

TEST_F(AckTokenTest, HasOnlyOneEncoding) {
  std::string spare = kGolden;  // differs in unused bits
  spare.back() = static_cast<char>(spare.back() + 1);
  ExpectError(ParseAckToken(vault, spare), ErrorCode::kInvalidArgument);
}

TEST_F(AckTokenTest, RefusesMalformedTokens) {
  const std::string token = kGolden;
  for (const std::string& text : {std::string(), std::string("x"), token.substr(1), token + "A",
                                  token + "/", token + "=", std::string(kAckTokenChars, 'A'),
                                  std::string(kAckTokenChars, '\0'), std::string(1'000'000, 'A')})
    ExpectError(ParseAckToken(vault, text), ErrorCode::kInvalidArgument);
}

TEST_F(AckTokenTest, RefusesATokenOfAnotherInstallation) {
  crypto::KeyringVault other(crypto::Keyring::Generate(kExpire));
  ExpectError(ParseAckToken(other, kGolden), ErrorCode::kPermissionDenied);
}

TEST_F(AckTokenTest, RefusesAMacOfACallback) {
  const std::string content = Base64UrlDecode(kGolden)->substr(0, 22);
  std::uint32_t version = 0;
  const std::string mac = vault.SignCallback(content, version);
  ExpectError(ParseAckToken(vault, Base64UrlEncode(content + mac)), ErrorCode::kPermissionDenied);
}

TEST_F(AckTokenTest, IsValidAfterRotationsOfItsKey) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(keyring.Rotate(crypto::KeyPurpose::kCallback, kExpire));
  crypto::KeyringVault rotated(keyring);
  EXPECT_TRUE(ParseAckToken(rotated, kGolden));
  const std::string next = *MakeAckToken(rotated, AContent());
  EXPECT_NE(next, kGolden);
  EXPECT_TRUE(ParseAckToken(rotated, next));
  ExpectError(ParseAckToken(vault, next), ErrorCode::kPermissionDenied);
}

TEST_F(AckTokenTest, IsNotMadeForContentThatItCannotContain) {
  const auto made = [&](const auto& change) {
    AckTokenContent content = AContent();
    change(content);
    return MakeAckToken(vault, content).has_value();
  };
  EXPECT_FALSE(made([](auto& content) { content.alert_id = "+15145550123"; }));
  EXPECT_FALSE(made([](auto& content) { content.step = 0; }));
  EXPECT_FALSE(made([](auto& content) { content.step = 256; }));
  EXPECT_FALSE(made([](auto& content) { content.expire_time = FromUnixMicros(-1); }));
  EXPECT_FALSE(
      made([](auto& content) { content.expire_time = FromUnixMicros(4'294'967'296'000'000); }));
  EXPECT_TRUE(
      made([](auto& content) { content.expire_time = FromUnixMicros(4'294'967'295'999'999); }));
}

}  // namespace
}  // namespace tocsin::ingress
