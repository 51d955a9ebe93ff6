#include "common/domain/message/consent_wish.h"

#include <gtest/gtest.h>

namespace tocsin {
namespace {

TEST(ConsentStateOf, OptsOutByStopAndInByStart) {  // S4
  EXPECT_EQ(ConsentStateOf(ConsentKeyword::kStop), records::v1::CONSENT_STATE_OPTED_OUT);
  EXPECT_EQ(ConsentStateOf(ConsentKeyword::kStart), records::v1::CONSENT_STATE_OPTED_IN);
  for (const auto keyword : {ConsentKeyword::kNone, ConsentKeyword::kHelp})
    EXPECT_EQ(ConsentStateOf(keyword), records::v1::CONSENT_STATE_UNSPECIFIED);
}

TEST(ConsentStateOf, OptsOutByOneKeyOnly) {  // S4, V4
  EXPECT_EQ(ConsentStateOf(CallKey::kOptOut), records::v1::CONSENT_STATE_OPTED_OUT);
  for (const auto key : {CallKey::kNone, CallKey::kAcknowledge, CallKey::kRepeat,
                         CallKey::kEscalate, CallKey::kUnknown})
    EXPECT_EQ(ConsentStateOf(key), records::v1::CONSENT_STATE_UNSPECIFIED);
}

TEST(ConsentStateOf, OptsOutByTheErrorClassOfAnOptOut) {  // S4
  EXPECT_EQ(ConsentStateOf(records::v1::PROVIDER_ERROR_CLASS_OPT_OUT),
            records::v1::CONSENT_STATE_OPTED_OUT);
  EXPECT_EQ(ConsentStateOf(records::v1::PROVIDER_ERROR_CLASS_PERMANENT_NUMBER),
            records::v1::CONSENT_STATE_UNSPECIFIED);
}

TEST(ConsentSourceOf, FollowsTheKindOfTheRequest) {
  EXPECT_EQ(ConsentSourceOf(records::v1::WEBHOOK_KIND_SMS_INBOUND),
            records::v1::CONSENT_SOURCE_INBOUND_MESSAGE);
  EXPECT_EQ(ConsentSourceOf(records::v1::WEBHOOK_KIND_VOICE_GATHER),
            records::v1::CONSENT_SOURCE_KEYPRESS);
  EXPECT_EQ(ConsentSourceOf(records::v1::WEBHOOK_KIND_SMS_STATUS),
            records::v1::CONSENT_SOURCE_STATUS_CALLBACK);
}

}  // namespace
}  // namespace tocsin
