#include "common/twilio/try_token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "common/crypto/vault.h"

namespace tocsin::twilio {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr WallTime kNow = FromUnixMicros(1'790'000'000'123'456);

TryTokenContent AContent() {
  TryTokenContent content;
  content.name.set_alert_id("01990000-aaaa-7bbb-8ccc-dddddddddddd");
  content.name.set_step(2);
  content.name.set_try_(4'000'000'000);
  content.channel = v1::CHANNEL_SMS;
  content.alert_class = v1::ALERT_CLASS_EMERGENCY;
  content.partition = 11;
  content.offset = std::numeric_limits<std::int64_t>::max();
  content.time = kNow;
  return content;
}

class TryTokenTest : public testing::Test {
 protected:
  crypto::Keyring keyring = crypto::Keyring::Generate(kNow);
  crypto::KeyringVault vault{keyring};
  const std::string token = *MakeTryToken(vault, AContent());
};

// W5: a callback names its try.
TEST_F(TryTokenTest, SaysWhatWasPutIn) {
  const auto parsed = ParseTryToken(vault, token);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->name.SerializeAsString(), AContent().name.SerializeAsString());
  EXPECT_EQ(parsed->channel, v1::CHANNEL_SMS);
  EXPECT_EQ(parsed->alert_class, v1::ALERT_CLASS_EMERGENCY);
  EXPECT_EQ(parsed->partition, 11);
  EXPECT_EQ(parsed->offset, std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(parsed->time, std::chrono::floor<std::chrono::seconds>(kNow));
}

TEST_F(TryTokenTest, HasOneLengthAndFitsAUrlPath) {
  EXPECT_EQ(token.size(), kTryTokenChars);
  EXPECT_EQ(
      token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
      std::string::npos);
}

TEST_F(TryTokenTest, FailsWhenAnyCharacterIsChanged) {
  for (size_t i = 0; i < token.size(); ++i)
    for (const char c : {'A', '_', '*'}) {
      std::string changed = token;
      changed[i] = c;
      EXPECT_EQ(ParseTryToken(vault, changed).has_value(), changed == token) << i << c;
    }
}

TEST_F(TryTokenTest, HasOneTextOnly) {
  std::string spare = token;  // differs in bits that carry nothing
  spare.back() = static_cast<char>(spare.back() + 1);
  const auto parsed = ParseTryToken(vault, spare);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(TryTokenTest, RefusesWhatIsNoToken) {
  for (const std::string& text :
       {std::string(), std::string("x"), token.substr(1), token + "A", std::string(90, 'A'),
        std::string(90, '\0'), std::string(1'000'000, 'A')}) {
    const auto parsed = ParseTryToken(vault, text);
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST_F(TryTokenTest, RefusesATokenOfAnotherInstallation) {
  crypto::KeyringVault other(crypto::Keyring::Generate(kNow));
  const auto parsed = ParseTryToken(other, token);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, ErrorCode::kPermissionDenied);
}

TEST_F(TryTokenTest, IsGoodAfterARotationOfItsKey) {
  ASSERT_TRUE(keyring.Rotate(crypto::KeyPurpose::kCallback, kNow));
  crypto::KeyringVault rotated(keyring);
  EXPECT_TRUE(ParseTryToken(rotated, token));
  const auto next = MakeTryToken(rotated, AContent());
  EXPECT_FALSE(ParseTryToken(vault, *next));
}

TEST_F(TryTokenTest, NeedsAnAlertId) {
  TryTokenContent content = AContent();
  content.name.set_alert_id("+15145550123");
  const auto made = MakeTryToken(vault, content);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(made.error().message, Not(HasSubstr("5550123")));
}

}  // namespace
}  // namespace tocsin::twilio
