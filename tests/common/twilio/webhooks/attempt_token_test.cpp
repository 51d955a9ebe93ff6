#include "common/twilio/webhooks/attempt_token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "common/crypto/vault.h"

namespace tocsin::twilio {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr WallTime kNow = FromUnixMicros(1'790'000'000'123'456);

AttemptTokenContent AContent() {
  AttemptTokenContent content;
  content.attempt.set_alert_id("01990000-aaaa-7bbb-8ccc-dddddddddddd");
  content.attempt.set_step(2);
  content.attempt.set_attempt(std::numeric_limits<std::int32_t>::max());
  content.channel = v1::CHANNEL_SMS;
  content.priority = v1::PRIORITY_EMERGENCY;
  content.partition = 11;
  content.offset = std::numeric_limits<std::int64_t>::max();
  content.time = kNow;
  return content;
}

class AttemptTokenTest : public testing::Test {
 protected:
  crypto::Keyring keyring = crypto::Keyring::Generate(kNow);
  crypto::KeyringVault vault{keyring};
  const std::string token = *MakeAttemptToken(vault, AContent());
};

// W5: a callback names its attempt.
TEST_F(AttemptTokenTest, ContainsAttemptAndPosition) {
  const auto parsed = ParseAttemptToken(vault, token);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->attempt.SerializeAsString(), AContent().attempt.SerializeAsString());
  EXPECT_EQ(parsed->channel, v1::CHANNEL_SMS);
  EXPECT_EQ(parsed->priority, v1::PRIORITY_EMERGENCY);
  EXPECT_EQ(parsed->partition, 11);
  EXPECT_EQ(parsed->offset, std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(parsed->time, std::chrono::floor<std::chrono::seconds>(kNow));
}

TEST_F(AttemptTokenTest, HasAFixedLengthAndFitsAUrlPath) {
  EXPECT_EQ(token.size(), kAttemptTokenChars);
  EXPECT_EQ(
      token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
      std::string::npos);
}

TEST_F(AttemptTokenTest, IsInvalidIfAnyCharacterIsChanged) {
  for (size_t i = 0; i < token.size(); ++i)
    for (const char c : {'A', '_', '*'}) {
      std::string changed = token;
      changed[i] = c;
      EXPECT_EQ(ParseAttemptToken(vault, changed).has_value(), changed == token) << i << c;
    }
}

TEST_F(AttemptTokenTest, HasOnlyOneEncoding) {
  std::string spare = token;  // differs in unused bits
  spare.back() = static_cast<char>(spare.back() + 1);
  const auto parsed = ParseAttemptToken(vault, spare);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(AttemptTokenTest, RefusesMalformedTokens) {
  for (const std::string& text :
       {std::string(), std::string("x"), token.substr(1), token + "A", std::string(90, 'A'),
        std::string(90, '\0'), std::string(1'000'000, 'A')}) {
    const auto parsed = ParseAttemptToken(vault, text);
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST_F(AttemptTokenTest, RefusesATokenOfAnotherInstallation) {
  crypto::KeyringVault other(crypto::Keyring::Generate(kNow));
  const auto parsed = ParseAttemptToken(other, token);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, ErrorCode::kPermissionDenied);
}

TEST_F(AttemptTokenTest, IsValidAfterARotationOfItsKey) {
  ASSERT_TRUE(keyring.Rotate(crypto::KeyPurpose::kCallback, kNow));
  crypto::KeyringVault rotated(keyring);
  EXPECT_TRUE(ParseAttemptToken(rotated, token));
  const auto next = MakeAttemptToken(rotated, AContent());
  EXPECT_FALSE(ParseAttemptToken(vault, *next));
}

TEST_F(AttemptTokenTest, NeedsAnAlertId) {
  AttemptTokenContent content = AContent();
  content.attempt.set_alert_id("+15145550123");
  const auto made = MakeAttemptToken(vault, content);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(made.error().message, Not(HasSubstr("5550123")));
}

}  // namespace
}  // namespace tocsin::twilio
