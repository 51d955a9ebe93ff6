#include "common/domain/message/call_keys.h"

#include <gtest/gtest.h>

namespace tocsin {
namespace {

TEST(CallKeys, MatchTheMenu) {  // V4
  EXPECT_EQ(CallKeyOf("1"), CallKey::kAcknowledge);
  EXPECT_EQ(CallKeyOf("2"), CallKey::kRepeat);
  EXPECT_EQ(CallKeyOf("3"), CallKey::kEscalate);
  EXPECT_EQ(CallKeyOf("9"), CallKey::kOptOut);
  EXPECT_EQ(CallKeyOf(""), CallKey::kNone);
  for (const char* other : {"0", "7", "*", "#", "x", "\xff"})
    EXPECT_EQ(CallKeyOf(other), CallKey::kUnknown);
}

TEST(CallKeys, EndTheCallAfterTheLastRound) {  // V4
  for (const CallKey key : {CallKey::kNone, CallKey::kRepeat, CallKey::kUnknown}) {
    EXPECT_EQ(ReplyTo(key, 1), CallReply::kAgain);
    EXPECT_EQ(ReplyTo(key, kMaxCallRounds), CallReply::kGoodbye);
    EXPECT_EQ(ReplyTo(key, kMaxCallRounds + 1), CallReply::kGoodbye);
  }
  for (const CallKey key : {CallKey::kAcknowledge, CallKey::kEscalate, CallKey::kOptOut})
    EXPECT_EQ(ReplyTo(key, kMaxCallRounds), CallReply::kConfirm);
}

}  // namespace
}  // namespace tocsin
