#include "common/twilio/twiml/message_twiml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::twilio {
namespace {

using testing::HasSubstr;

TEST(MessageTwiml, RespondsToAReplyInItsLanguage) {  // S7
  EXPECT_EQ(AckReplyTwiml("en", AckReplyResult::kAcknowledged),
            "<Response><Message>Thank you. The alert is acknowledged.</Message></Response>");
  EXPECT_THAT(AckReplyTwiml("de", AckReplyResult::kSeveral), HasSubstr("JA 1234"));
  EXPECT_THAT(AckReplyTwiml("ro", AckReplyResult::kUnknownCode), HasSubstr("with this code"));
  EXPECT_THAT(AckReplyTwiml("fr", AckReplyResult::kAlreadyAcknowledged), HasSubstr("déjà"));
  EXPECT_EQ(AckReplyTwiml("en", AckReplyResult::kNoAlert), "<Response/>");
}

}  // namespace
}  // namespace tocsin::twilio
