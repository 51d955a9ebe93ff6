#include "common/ports/delay_tiers.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <set>

#include "common/domain/delivery/due_time.h"

namespace tocsin {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::int64_t kNowMicros = 1'767'225'600'000'000;
constexpr std::int64_t kDay = 86'400'000'000;
const WallTime kNow = FromUnixMicros(1'767'225'600'000'000);

records::v1::WorkRecord Due(Micros in, v1::Priority priority = v1::PRIORITY_NORMAL) {
  records::v1::WorkRecord work;
  work.set_channel(v1::CHANNEL_SMS);
  work.set_priority(priority);
  work.set_due_time_us(ToUnixMicros(kNow + in));
  return work;
}

struct Row {
  const char* name;
  Micros delay;
  const char* topic;
};
class NextTopicTest : public testing::TestWithParam<Row> {};
TEST_P(NextTopicTest, IsTheLargestTierNotLongerThanTheDelay) {  // R3
  EXPECT_EQ(NextTopic(Topics(), Due(GetParam().delay), kNow), GetParam().topic);
}
INSTANTIATE_TEST_SUITE_P(Rows, NextTopicTest,
                         testing::Values(Row{"due", seconds(0), "tocsin.sms.normal"},
                                         Row{"late", seconds(-5), "tocsin.sms.normal"},
                                         Row{"a_moment", Micros(1), "tocsin.delay.other.5s"},
                                         Row{"under_a_minute", seconds(59),
                                             "tocsin.delay.other.5s"},
                                         Row{"a_minute", minutes(1), "tocsin.delay.other.1m"},
                                         Row{"ten_minutes", minutes(10), "tocsin.delay.other.10m"},
                                         Row{"days", hours(72), "tocsin.delay.other.1h"}),
                         [](const auto& row) { return row.param.name; });

TEST(NextTopicTest, UsesSeparateTopicsForEmergencies) {  // A4
  EXPECT_EQ(NextTopic(Topics("x"), Due(seconds(9), v1::PRIORITY_EMERGENCY), kNow),
            "x.delay.emergency.5s");
}

TEST(LeaveTimeTest, IsTheEndOfTheResidenceTimeOrTheDueTime) {
  EXPECT_EQ(LeaveTime(DelayTier::k1m, kNow, Due(hours(1))), kNow + minutes(1));
  EXPECT_EQ(LeaveTime(DelayTier::k5s, kNow, Due(seconds(2))), kNow + seconds(2));
}

TEST(DueTimeTest, IsNeverBeforeTheSendTime) {  // A5
  records::v1::WorkRecord work = Due(seconds(1));
  work.set_send_time_us(ToUnixMicros(kNow + hours(2)));
  EXPECT_EQ(DueTime(work), kNow + hours(2));
}

TEST(TopicsTest, HaveUniqueNamesAndOnlyDelayTopicsUseLogAppendTime) {
  std::set<std::string> names;
  for (const TopicSpec& spec : Topics("t").All()) {
    EXPECT_TRUE(names.insert(spec.name).second) << spec.name;
    EXPECT_EQ(spec.log_append_time, spec.name.starts_with("t.delay.")) << spec.name;
    EXPECT_GE(spec.partitions, 1);
  }
  EXPECT_EQ(names.size(), 22);
}

TEST(DelayTiersPropertyTest, KeepRecordsNoLongerThanTheTierAndTheDueTime) {
  EXPECT_TRUE(rc::check([] {
    const Topics topics;
    records::v1::WorkRecord work;
    work.set_channel(*rc::gen::element(v1::CHANNEL_SMS, v1::CHANNEL_VOICE));
    work.set_priority(*rc::gen::element(v1::PRIORITY_EMERGENCY, v1::PRIORITY_NORMAL));
    work.set_due_time_us(kNowMicros + *rc::gen::inRange<std::int64_t>(-1'000'000, 7 * kDay));
    work.set_send_time_us(*rc::gen::element<std::int64_t>(0, kNowMicros + 3'600'000'000));
    const WallTime now = FromUnixMicros(kNowMicros);
    const auto tier = topics.TierOf(NextTopic(topics, work, now));
    RC_ASSERT(tier.has_value() == (DueTime(work) > now));
    if (!tier) return;
    const WallTime leave_time = LeaveTime(*tier, now, work);
    RC_ASSERT(leave_time > now);
    RC_ASSERT(leave_time <= DueTime(work));
    if (*tier != DelayTier::k5s) RC_ASSERT(leave_time == now + ResidenceOf(*tier));
  }));
}

}  // namespace
}  // namespace tocsin
