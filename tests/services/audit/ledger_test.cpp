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

TEST_F(LedgerTest, ShowsARowWhoseEndDoesNotFitItsState) {
  Fold(log.Accepted(AlertIdOf(1)));
  Ask(AuditDatabase(), "UPDATE tocsin.alerts SET state = 4 RETURNING 1");
  EXPECT_EQ(Count(accepted + minutes(1)).difference, 1);
}

}  // namespace
}  // namespace tocsin::audit
