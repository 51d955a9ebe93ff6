#include "common/domain/waiting.h"

#include <gtest/gtest.h>

#include <set>

#include "common/domain/consents.h"
#include "common/domain/ids.h"

namespace tocsin {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

const WallTime kNow = FromUnixMicros(1'767'225'600'000'000);

v1::WorkRecord Due(Micros in, v1::AlertClass alert_class = v1::ALERT_CLASS_NORMAL) {
  v1::WorkRecord work;
  work.set_channel(v1::CHANNEL_SMS);
  work.set_class_(alert_class);
  work.set_due_time_us(ToUnixMicros(kNow + in));
  return work;
}

struct Row {
  const char* name;
  Micros wait;
  const char* stop;
};
class NextStopTest : public testing::TestWithParam<Row> {};
TEST_P(NextStopTest, IsTheLargestTierThatFitsTheWait) {  // R3
  EXPECT_EQ(NextStop(Topics(), Due(GetParam().wait), kNow), GetParam().stop);
}
INSTANTIATE_TEST_SUITE_P(Rows, NextStopTest,
                         testing::Values(Row{"due", seconds(0), "tocsin.sms.normal"},
                                         Row{"late", seconds(-5), "tocsin.sms.normal"},
                                         Row{"a_moment", Micros(1), "tocsin.delay.other.5s"},
                                         Row{"under_a_minute", seconds(59),
                                             "tocsin.delay.other.5s"},
                                         Row{"a_minute", minutes(1), "tocsin.delay.other.1m"},
                                         Row{"ten_minutes", minutes(10), "tocsin.delay.other.10m"},
                                         Row{"days", hours(72), "tocsin.delay.other.1h"}),
                         [](const auto& row) { return row.param.name; });

TEST(NextStopTest, KeepsEmergenciesOnTopicsOfTheirOwn) {  // A4
  EXPECT_EQ(NextStop(Topics("x"), Due(seconds(9), v1::ALERT_CLASS_EMERGENCY), kNow),
            "x.delay.emergency.5s");
}

TEST(WaitingTest, EndsInATierWithItsResidenceOrWithTheWait) {
  EXPECT_EQ(MovesOn(DelayTier::k1m, kNow, Due(hours(1))), kNow + minutes(1));
  EXPECT_EQ(MovesOn(DelayTier::k5s, kNow, Due(seconds(2))), kNow + seconds(2));
}

TEST(WaitingTest, HoldsTheCallersWishAboveEverything) {  // A5
  v1::WorkRecord work = Due(seconds(1));
  work.set_send_at_us(ToUnixMicros(kNow + hours(2)));
  EXPECT_EQ(DueTime(work), kNow + hours(2));
}

TEST(TopicsTest, AreAllNamedOnceAndDelaysStampTheirOwnTime) {
  std::set<std::string> names;
  for (const TopicSpec& spec : Topics("t").All()) {
    EXPECT_TRUE(names.insert(spec.name).second) << spec.name;
    EXPECT_EQ(spec.log_append_time, spec.name.starts_with("t.delay.")) << spec.name;
    EXPECT_GE(spec.partitions, 1);
  }
  EXPECT_EQ(names.size(), 23u);
}

TEST(ConsentBookTest, LetsTheLaterObservationWinInWhateverOrderTheyCome) {  // S4
  const auto saw = [](v1::ConsentState state, std::int64_t at) {
    v1::ConsentRecord consent;
    consent.mutable_recipient()->set_token("t");
    consent.set_sender("+1");
    consent.set_state(state);
    consent.set_observed_time_us(at);
    return consent;
  };
  ConsentBook book;
  book.Apply(saw(v1::CONSENT_STATE_OPTED_IN, 20));
  book.Apply(saw(v1::CONSENT_STATE_OPTED_OUT, 10));
  EXPECT_FALSE(book.OptedOut("t", "+1"));
  book.Apply(saw(v1::CONSENT_STATE_OPTED_OUT, 20));  // at the same instant silence wins
  book.Apply(saw(v1::CONSENT_STATE_OPTED_IN, 20));
  EXPECT_TRUE(book.OptedOut("t", "+1"));
  EXPECT_FALSE(book.OptedOut("t", "+2"));
}

TEST(IdsTest, GiveOneAlertToOneKeyOnOneDay) {  // A3
  const std::string id = KeyedAlertId(kNow + hours(1), "demo", "key");
  EXPECT_EQ(id, KeyedAlertId(kNow + hours(23), "demo", "key"));
  EXPECT_NE(id, KeyedAlertId(kNow + hours(25), "demo", "key"));
  EXPECT_NE(id, KeyedAlertId(kNow, "demok", "ey"));
  EXPECT_NE(IdempotencyDigest("demo", "key"), IdempotencyDigest("demok", "ey"));
}

}  // namespace
}  // namespace tocsin
