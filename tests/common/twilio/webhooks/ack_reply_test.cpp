#include "common/twilio/webhooks/ack_reply.h"

#include <gtest/gtest.h>

#include "common/twilio/webhooks/opt_out.h"

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
    EXPECT_EQ(reply->kind, AckReplyKind::kAcknowledge) << row.body;
    EXPECT_EQ(reply->code, row.code) << row.body;
    EXPECT_EQ(reply->language_code, row.language) << row.body;
  }
}

TEST(AckReply, DeclinesByAWordWithOrWithoutACode) {  // S7
  struct Row {
    const char* body;
    const char* code;
    const char* language;
  };
  for (const Row& row : {Row{" No. ", "", "en"}, Row{"n", "", "en"}, Row{"no 1234", "1234", "en"},
                         Row{"1234 Nein!", "1234", "de"}, Row{"non", "", "fr"},
                         Row{"Rechazar 4321", "4321", "es"}, Row{"não", "", "pt"}}) {
    const auto reply = AckReplyOf(row.body);
    ASSERT_TRUE(reply) << row.body;
    EXPECT_EQ(reply->kind, AckReplyKind::kDecline) << row.body;
    EXPECT_EQ(reply->code, row.code) << row.body;
    EXPECT_EQ(reply->language_code, row.language) << row.body;
  }
}

// A decline must never be an opt-out, an opt-in or an acknowledgement as well.
TEST(AckReply, NoWordThatDeclinesHasAnotherMeaning) {  // S7
  for (const char* word :
       {"NO",       "N",       "DECLINE", "NON", "REFUSER", "RECHAZAR", "NÃO",  "NAO",  "NEIN",
        "ABLEHNEN", "RIFIUTA", "NEE",     "NEJ", "NEI",     "EI",       "NIE",  "NE",   "NU",
        "HAYIR",    "НЕТ",     "НІ",      "ΟΧΙ", "ΌΧΙ",     "否",       "不",   "不是", "いいえ",
        "아니요",   "아니오",  "لا",      "לא",  "नहीं",     "KHÔNG",    "HINDI"}) {
    EXPECT_EQ(KeywordOf(word, ""), ConsentKeyword::kNone) << word;
    const auto reply = AckReplyOf(word);
    ASSERT_TRUE(reply) << word;
    EXPECT_EQ(reply->kind, AckReplyKind::kDecline) << word;
  }
}

TEST(AckReply, IsNothingElse) {
  for (const char* body :
       {"", "STOP", "yes, but who are you?", "yes 123", "yes 12345", "yes1234", "123456",
        "1234 5678", "yes 1234 5678", "the pump is ok", "1234x", "+1514", "\xff", "12 34",
        "no, never", "no 123", "no yes", "no no", "nono"})
    EXPECT_FALSE(AckReplyOf(body)) << body;
  EXPECT_FALSE(AckReplyOf("yes " + std::string(100, ' ') + "1234"));
}

}  // namespace
}  // namespace tocsin::twilio
