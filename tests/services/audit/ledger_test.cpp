#include "services/audit/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/audit/fold_store.h"
#include "tests/services/audit/audit_database.h"
#include "tests/services/audit/log_of.h"

namespace tocsin::audit {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::Pair;
using testing::UnorderedElementsAre;

class LedgerTest : public testing::Test {
 protected:
  void SetUp() override { Clear(AuditDatabase()); }

  void Fold(const IncomingRecord& record) { ASSERT_TRUE(store.Fold(std::span(&record, 1))); }

  LedgerCount Count(WallTime now) { return CountLedger(session, now).value(); }

  LogOf log;
  FoldStore store{AuditDatabase(), "cluster", FoldedTopics(Topics())};
  postgres::Session session{AuditDatabase()};
  const WallTime accepted = FromUnixMicros(kAcceptedUs);  // the horizon is an hour later
};

// R7
TEST_F(LedgerTest, CountsEachAcceptedAlertInOneState) {
  for (int number = 1; number <= 3; ++number) Fold(log.Accepted(AlertIdOf(number)));
  Fold(log.Changed(AlertIdOf(1), v1::TRY_STATUS_DELIVERED, 5));
  Fold(log.Changed(AlertIdOf(2), v1::TRY_STATUS_SENT, 5));
  const LedgerCount count = Count(accepted + minutes(1));
  EXPECT_THAT(count.alerts,
              UnorderedElementsAre(Pair("delivered", 1), Pair("sent", 1), Pair("pending", 1)));
  EXPECT_EQ(count.overdue, 0);
  EXPECT_EQ(count.difference, 0);
}

// R7
TEST_F(LedgerTest, ShowsWhatStaysOpenPastItsDeadlineAndGrace) {
  Fold(log.Accepted(AlertIdOf(1)));
  Fold(log.Accepted(AlertIdOf(2)));
  Fold(log.Changed(AlertIdOf(2), v1::TRY_STATUS_DELIVERED, 5));
  EXPECT_EQ(Count(accepted + hours(1) + minutes(59)).overdue, 0);
  EXPECT_EQ(Count(accepted + hours(2) + minutes(1)).overdue, 1);
  EXPECT_EQ(Count(accepted + hours(24 * 30)).overdue, 1);  // for as long as it stays so
}

// R7
TEST_F(LedgerTest, ShowsAnAlertThatIsToldOfAndWasNeverAccepted) {
  Fold(log.Changed(AlertIdOf(1), v1::TRY_STATUS_SENDING, 0));
  EXPECT_EQ(Count(accepted + minutes(9)).difference, 0);
  EXPECT_EQ(Count(accepted + minutes(11)).difference, 1);
  Fold(log.Accepted(AlertIdOf(1)));
  EXPECT_EQ(Count(accepted + minutes(11)).difference, 0);
}

// R4
TEST_F(LedgerTest, ShowsWhatIsInDoubtAndSinceWhenUntilItIsSettled) {
  for (int number = 1; number <= 3; ++number) Fold(log.Accepted(AlertIdOf(number)));
  Fold(log.Changed(AlertIdOf(1), v1::TRY_STATUS_IN_DOUBT, 9));
  Fold(log.Changed(AlertIdOf(2), v1::TRY_STATUS_IN_DOUBT, 5));
  Fold(log.Changed(AlertIdOf(3), v1::TRY_STATUS_SENDING, 1));
  const LedgerCount doubtful = Count(accepted + minutes(1));
  EXPECT_EQ(doubtful.in_doubt, 2);
  EXPECT_EQ(doubtful.oldest_doubt, accepted + std::chrono::seconds(5));
  Fold(log.Changed(AlertIdOf(1), v1::TRY_STATUS_SENT, 60));
  Fold(log.Changed(AlertIdOf(2), v1::TRY_STATUS_DELIVERED, 60));
  const LedgerCount settled = Count(accepted + minutes(2));
  EXPECT_EQ(settled.in_doubt, 0);
  EXPECT_EQ(settled.oldest_doubt, std::nullopt);
}

// R4
TEST_F(LedgerTest, ShowsADoubtOfAnAlertThatWaitedDaysForItsTime) {
  constexpr int kWeek = 7 * 24 * 3'600;  // send_at and expires_at reach as far
  Fold(log.Accepted(AlertIdOf(1)));
  Fold(log.Changed(AlertIdOf(1), v1::TRY_STATUS_IN_DOUBT, kWeek));
  const LedgerCount count = Count(accepted + std::chrono::seconds(kWeek) + hours(1));
  EXPECT_EQ(count.in_doubt, 1);
  EXPECT_EQ(count.oldest_doubt, accepted + std::chrono::seconds(kWeek));
}

// R3
TEST_F(LedgerTest, ShowsTheDeadLettersThatNobodyClosedAndTheAgeOfTheOldest) {
  EXPECT_EQ(Count(accepted).oldest_dead, std::nullopt);
  const auto give_up = [&](int number, v1::Channel channel, int seconds) {
    v1::DeadRecord letter;
    letter.mutable_work()->mutable_try_()->set_alert_id(AlertIdOf(number));
    letter.mutable_work()->mutable_try_()->set_step(1);
    letter.mutable_work()->mutable_try_()->set_try_(1);
    letter.mutable_work()->set_channel(channel);
    letter.set_reason("TWILIO_API_ERROR");
    letter.set_time_us(kAcceptedUs + seconds * 1'000'000LL);
    Fold(log.Put(log.topics.Dead(channel), letter.SerializeAsString()));
  };
  give_up(1, v1::CHANNEL_SMS, 7);
  give_up(2, v1::CHANNEL_SMS, 3);
  give_up(3, v1::CHANNEL_VOICE, 5);
  const LedgerCount open = Count(accepted + minutes(1));
  EXPECT_THAT(open.dead, UnorderedElementsAre(Pair("sms", 2), Pair("voice", 1)));
  EXPECT_EQ(open.oldest_dead, accepted + std::chrono::seconds(3));
  Ask(AuditDatabase(), "UPDATE tocsin.dead_letters SET state = 2 WHERE channel = 1 RETURNING 1");
  const LedgerCount left = Count(accepted + minutes(1));
  EXPECT_THAT(left.dead, UnorderedElementsAre(Pair("voice", 1)));
  EXPECT_EQ(left.oldest_dead, accepted + std::chrono::seconds(5));
}

TEST_F(LedgerTest, ShowsARowWhoseEndDoesNotFitItsState) {
  Fold(log.Accepted(AlertIdOf(1)));
  Ask(AuditDatabase(), "UPDATE tocsin.alerts SET state = 4 RETURNING 1");
  EXPECT_EQ(Count(accepted + minutes(1)).difference, 1);
}

}  // namespace
}  // namespace tocsin::audit
