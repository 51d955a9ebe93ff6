#include "services/audit/query/alert_counts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/audit/projection/projection.h"
#include "tests/services/audit/audit_database.h"
#include "tests/services/audit/record_builder.h"

namespace tocsin::audit {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

// One for all tests: it is the session that counts the states.
postgres::Session& TheSession() {
  static postgres::Session session(AuditDatabase());
  return session;
}

class AlertCountsTest : public testing::Test {
 protected:
  void SetUp() override { ClearTables(AuditDatabase()); }

  void Apply(const IncomingRecord& record) { ASSERT_TRUE(projection.Apply(std::span(&record, 1))); }

  AlertCounts Count(WallTime now) {
    return CountAlerts(session, now, [](const Error& error) { ADD_FAILURE() << error.message; });
  }
  StateCounts CountStates(WallTime now) { return Count(now).states.value(); }

  RecordBuilder build;
  Projection projection{AuditDatabase(), "cluster", ProjectedTopics(Topics())};
  postgres::Session& session = TheSession();
  const WallTime accepted = FromUnixMicros(kCreateTimeUs);  // expires an hour later
};

// R7
TEST_F(AlertCountsTest, CountsEachAcceptedAlertInOneState) {
  for (int number = 1; number <= 3; ++number) Apply(build.Accepted(AlertIdOf(number)));
  Apply(build.Changed(AlertIdOf(1), v1::ATTEMPT_STATUS_DELIVERED, 5));
  Apply(build.Changed(AlertIdOf(2), v1::ATTEMPT_STATUS_SENT, 5));
  const StateCounts count = CountStates(accepted + minutes(1));
  EXPECT_THAT(count.alerts,
              UnorderedElementsAre(Pair("delivered", 1), Pair("sent", 1), Pair("pending", 1)));
  EXPECT_EQ(count.mismatches, 0);
  EXPECT_EQ(Count(accepted + minutes(1)).overdue, 0);
}

// R7
TEST_F(AlertCountsTest, CountsAlertsThatAreNotFinalAfterExpireTimeAndGrace) {
  Apply(build.Accepted(AlertIdOf(1)));
  Apply(build.Accepted(AlertIdOf(2)));
  Apply(build.Changed(AlertIdOf(2), v1::ATTEMPT_STATUS_DELIVERED, 5));
  EXPECT_EQ(Count(accepted + hours(1) + minutes(59)).overdue, 0);
  EXPECT_EQ(Count(accepted + hours(2) + minutes(1)).overdue, 1);
  EXPECT_EQ(Count(accepted + hours(24 * 30)).overdue, 1);  // of any age
}

// R7
TEST_F(AlertCountsTest, CountsAnAlertWithEventsButWithoutAcceptanceAsAMismatch) {
  Apply(build.Changed(AlertIdOf(1), v1::ATTEMPT_STATUS_SENDING, 0));
  EXPECT_EQ(CountStates(accepted + minutes(9)).mismatches, 0);
  EXPECT_EQ(CountStates(accepted + minutes(11)).mismatches, 1);
  Apply(build.Accepted(AlertIdOf(1)));
  EXPECT_EQ(CountStates(accepted + minutes(11)).mismatches, 0);
}

// R4
TEST_F(AlertCountsTest, CountsAttemptsInDoubtUntilTheyAreResolved) {
  for (int number = 1; number <= 3; ++number) Apply(build.Accepted(AlertIdOf(number)));
  Apply(build.Changed(AlertIdOf(1), v1::ATTEMPT_STATUS_IN_DOUBT, 9));
  Apply(build.Changed(AlertIdOf(2), v1::ATTEMPT_STATUS_IN_DOUBT, 5));
  Apply(build.Changed(AlertIdOf(3), v1::ATTEMPT_STATUS_SENDING, 1));
  const InDoubtCounts before = Count(accepted + minutes(1)).in_doubt.value();
  EXPECT_EQ(before.attempts, 2);
  EXPECT_EQ(before.oldest, accepted + std::chrono::seconds(5));
  Apply(build.Changed(AlertIdOf(1), v1::ATTEMPT_STATUS_SENT, 60));
  Apply(build.Changed(AlertIdOf(2), v1::ATTEMPT_STATUS_DELIVERED, 60));
  const InDoubtCounts after = Count(accepted + minutes(2)).in_doubt.value();
  EXPECT_EQ(after.attempts, 0);
  EXPECT_EQ(after.oldest, std::nullopt);
}

// R4
TEST_F(AlertCountsTest, CountsAnAttemptInDoubtOfAnAlertThatWasScheduledDaysBefore) {
  constexpr int kWeek = 7 * 24 * 3'600;  // send_time and expire_time reach as far
  Apply(build.Accepted(AlertIdOf(1)));
  Apply(build.Changed(AlertIdOf(1), v1::ATTEMPT_STATUS_IN_DOUBT, kWeek));
  const InDoubtCounts count =
      Count(accepted + std::chrono::seconds(kWeek) + hours(1)).in_doubt.value();
  EXPECT_EQ(count.attempts, 1);
  EXPECT_EQ(count.oldest, accepted + std::chrono::seconds(kWeek));
}

// R3
TEST_F(AlertCountsTest, CountsOpenDeadLettersByChannel) {
  EXPECT_EQ(Count(accepted).dead_letters.value().oldest, std::nullopt);
  const auto give_up = [&](int number, v1::Channel channel, int seconds) {
    records::v1::DeadLetterRecord letter;
    letter.mutable_work()->mutable_attempt()->set_alert_id(AlertIdOf(number));
    letter.mutable_work()->mutable_attempt()->set_step(1);
    letter.mutable_work()->mutable_attempt()->set_attempt(1);
    letter.mutable_work()->set_channel(channel);
    letter.set_reason("TWILIO_API_ERROR");
    letter.set_time_us(kCreateTimeUs + seconds * 1'000'000LL);
    Apply(build.Put(build.topics.Dead(channel), letter.SerializeAsString()));
  };
  give_up(1, v1::CHANNEL_SMS, 7);
  give_up(2, v1::CHANNEL_SMS, 3);
  give_up(3, v1::CHANNEL_VOICE, 5);
  const DeadLetterCounts open = Count(accepted + minutes(1)).dead_letters.value();
  EXPECT_THAT(open.by_channel, UnorderedElementsAre(Pair("sms", 2), Pair("voice", 1)));
  EXPECT_EQ(open.oldest, accepted + std::chrono::seconds(3));
  QueryValue(AuditDatabase(),
             "UPDATE tocsin.dead_letters SET state = 3 WHERE channel = 1 RETURNING 1");
  const DeadLetterCounts left = Count(accepted + minutes(1)).dead_letters.value();
  EXPECT_THAT(left.by_channel, UnorderedElementsAre(Pair("voice", 1)));
  EXPECT_EQ(left.oldest, accepted + std::chrono::seconds(5));
}

TEST_F(AlertCountsTest, CountsARowWhoseEndContradictsItsStateAsAMismatch) {
  Apply(build.Accepted(AlertIdOf(1)));
  QueryValue(AuditDatabase(), "UPDATE tocsin.alerts SET state = 4 RETURNING 1");
  EXPECT_EQ(CountStates(accepted + minutes(1)).mismatches, 1);
}

// With many alerts the count of the states may exceed the statement timeout.
TEST_F(AlertCountsTest, ACountThatFailsLeavesTheOthers) {
  Apply(build.Accepted(AlertIdOf(1)));
  QueryValue(AuditDatabase(), "ALTER TABLE tocsin.alerts RENAME COLUMN outcome TO hidden");
  int errors = 0;
  const AlertCounts counts =
      CountAlerts(session, accepted + hours(3), [&](const Error&) { ++errors; });
  QueryValue(AuditDatabase(), "ALTER TABLE tocsin.alerts RENAME COLUMN hidden TO outcome");
  EXPECT_EQ(errors, 1);
  EXPECT_FALSE(counts.states);
  EXPECT_EQ(counts.overdue, 1);
  EXPECT_TRUE(counts.in_doubt);
  EXPECT_TRUE(counts.dead_letters);
}

TEST_F(AlertCountsTest, OneSessionCountsTheStates) {
  Apply(build.Accepted(AlertIdOf(1)));
  EXPECT_THAT(CountStates(accepted + minutes(1)).alerts, UnorderedElementsAre(Pair("pending", 1)));
  postgres::Session another(AuditDatabase());
  const AlertCounts counts = CountAlerts(
      another, accepted + hours(3), [](const Error& error) { ADD_FAILURE() << error.message; });
  EXPECT_THAT(counts.states.value().alerts, IsEmpty());
  EXPECT_EQ(counts.overdue, 1);
}

}  // namespace
}  // namespace tocsin::audit
