#include "common/twilio/twiml/message_twiml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::twilio {
namespace {

using testing::HasSubstr;

constexpr auto kYes = AckReplyKind::kAcknowledge;
constexpr auto kNo = AckReplyKind::kDecline;

TEST(MessageTwiml, RespondsToAReplyInItsLanguage) {  // S7
  EXPECT_EQ(AckReplyTwiml("en", kYes, AckReplyResult::kAcknowledged),
            "<Response><Message>Thank you. The alert is acknowledged.</Message></Response>");
  EXPECT_THAT(AckReplyTwiml("de", kYes, AckReplyResult::kSeveral), HasSubstr("JA 1234"));
  EXPECT_THAT(AckReplyTwiml("ro", kYes, AckReplyResult::kUnknownCode), HasSubstr("with this code"));
  EXPECT_THAT(AckReplyTwiml("fr", kYes, AckReplyResult::kAlreadyAcknowledged), HasSubstr("déjà"));
  EXPECT_EQ(AckReplyTwiml("en", kYes, AckReplyResult::kNoAlert), "<Response/>");
}

TEST(MessageTwiml, RespondsToADeclineInItsLanguage) {  // S7
  EXPECT_THAT(AckReplyTwiml("en", kNo, AckReplyResult::kDeclined), HasSubstr("You declined."));
  EXPECT_THAT(AckReplyTwiml("de", kNo, AckReplyResult::kRecorded),
              HasSubstr("Antwort ist erfasst"));
  EXPECT_THAT(AckReplyTwiml("de", kNo, AckReplyResult::kSeveral), HasSubstr("NEIN 1234"));
  EXPECT_THAT(AckReplyTwiml("fr", kNo, AckReplyResult::kSeveral), HasSubstr("NON 1234"));
  EXPECT_THAT(AckReplyTwiml("es", kNo, AckReplyResult::kDeclined), HasSubstr("rechazado"));
  EXPECT_EQ(AckReplyTwiml("ja", kNo, AckReplyResult::kUnknownCode),
            AckReplyTwiml("en", kYes, AckReplyResult::kUnknownCode));
  EXPECT_EQ(AckReplyTwiml("en", kNo, AckReplyResult::kNoAlert), "<Response/>");
}

}  // namespace
}  // namespace tocsin::twilio
