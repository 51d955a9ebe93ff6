#include "common/twilio/webhooks/ack_reply.h"

#include <gtest/gtest.h>

namespace tocsin::twilio {
namespace {

TEST(AckReply, IsAWordACodeOrBoth) {  // S7
  struct Row {
    const char* body;
    const char* code;
    const char* language;
  };
  for (const Row& row :
       {Row{"yes", "", "en"}, Row{" YES. ", "", "en"}, Row{"Ok!", "", "en"}, Row{"oui", "", "fr"},
        Row{"Sí", "", "es"}, Row{"si", "", "es"}, Row{"Ja", "", "de"}, Row{"はい。", "", "ja"},
        Row{"да", "", "ru"}, Row{"Yes 1234", "1234", "en"}, Row{"1234 ja", "1234", "de"},
        Row{"OUI  9876.", "9876", "fr"}, Row{"4321", "4321", "en"},
        Row{"ok \uFF11\uFF12\uFF13\uFF14", "1234", "en"}}) {
    const auto reply = AckReplyOf(row.body);
    ASSERT_TRUE(reply) << row.body;
    EXPECT_EQ(reply->code, row.code) << row.body;
    EXPECT_EQ(reply->language_code, row.language) << row.body;
  }
}

TEST(AckReply, IsNothingElse) {
  for (const char* body :
       {"", "no", "STOP", "yes, but who are you?", "yes 123", "yes 12345", "yes1234", "123456",
        "1234 5678", "yes 1234 5678", "the pump is ok", "1234x", "+1514", "\xff", "12 34"})
    EXPECT_FALSE(AckReplyOf(body)) << body;
  EXPECT_FALSE(AckReplyOf("yes " + std::string(100, ' ') + "1234"));
}

}  // namespace
}  // namespace tocsin::twilio
