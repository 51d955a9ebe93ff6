#include "services/audit/fold_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <random>

#include "services/audit/alert_reader.h"
#include "services/audit/position_board.h"
#include "tests/services/audit/audit_database.h"
#include "tests/services/audit/log_of.h"

namespace tocsin::audit {
namespace {

using testing::HasSubstr;

class FoldStoreTest : public testing::Test {
 protected:
  void SetUp() override { Clear(AuditDatabase()); }

  FoldStore Store(const std::string& cluster = "cluster") {
    return FoldStore(AuditDatabase(), cluster, FoldedTopics(Topics()));
  }

  Result<v1::Alert> Read(const std::string& alert_id, const std::string& client = "hospital") {
    postgres::Session session(AuditDatabase());
    return ReadAlert(session, client, alert_id);
  }

  // Everything that must not depend on order or repetition: revisions count changes, so they may
  // differ.
  std::string State() {
    return Ask(AuditDatabase(),
               "SELECT md5(coalesce((SELECT string_agg((to_jsonb(a) - 'revision')::text, '|' ORDER "
               "BY alert_id)"
               " FROM tocsin.alerts a), '') || coalesce((SELECT string_agg(t::text, '|' ORDER BY "
               "alert_id, step, try)"
               " FROM tocsin.tries t), '') || coalesce((SELECT string_agg(f::text, '|' ORDER BY "
               "alert_id, event_id)"
               " FROM tocsin.facts f), '') || (SELECT count(*) FROM tocsin.webhooks) || '/' ||"
               " (SELECT count(*) FROM tocsin.wrapped_keys) || '/' || (SELECT count(*) FROM "
               "tocsin.orphans))");
  }

  LogOf log;
  const std::string id = AlertIdOf(1);
};

// S3
TEST_F(FoldStoreTest, TellsTheStoryOfADeliveredAlert) {
  FoldStore store = Store();
  const std::vector<IncomingRecord> records{
      log.Accepted(id), log.Changed(id, v1::TRY_STATUS_SENDING, 1),
      log.Changed(id, v1::TRY_STATUS_SENT, 2, "SM1"), log.Callback(id, "SM1", "delivered", 3)};
  ASSERT_TRUE(store.Fold(records));
  const auto alert = Read(id);
  ASSERT_TRUE(alert) << alert.error().message;
  EXPECT_EQ(alert->state(), v1::ALERT_STATE_DELIVERED);
  EXPECT_EQ(alert->recipient(), "*******0123");
  EXPECT_EQ(alert->labels().at("ward \"7\""), "a\\b");
  EXPECT_EQ(alert->end_time().seconds(), kAcceptedUs / 1'000'000 + 3);
  ASSERT_EQ(alert->tries_size(), 1);
  EXPECT_EQ(alert->tries(0).provider_sid(), "SM1");
  ASSERT_EQ(alert->timeline_size(), 4);
  EXPECT_EQ(alert->timeline(0).what(), "Accepted.");
  EXPECT_THAT(alert->timeline(3).what(), HasSubstr("Delivered"));
}

TEST_F(FoldStoreTest, ExplainsAFailureInPlainWords) {
  FoldStore store = Store();
  const std::vector<IncomingRecord> records{log.Accepted(id),
                                            log.Callback(id, "SM1", "undelivered", 3, 30003)};
  ASSERT_TRUE(store.Fold(records));
  const auto alert = Read(id);
  ASSERT_TRUE(alert);
  EXPECT_EQ(alert->state(), v1::ALERT_STATE_FAILED);
  EXPECT_EQ(alert->tries(0).provider_code(), 30003);
  EXPECT_FALSE(alert->tries(0).explanation().empty());
}

TEST_F(FoldStoreTest, ShowsAnAlertToItsOwnClientOnly) {
  FoldStore store = Store();
  ASSERT_TRUE(store.Fold(std::vector{log.Accepted(id)}));
  EXPECT_TRUE(Read(id));
  EXPECT_EQ(Read(id, "another").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(Read(AlertIdOf(2)).error().code, ErrorCode::kNotFound);
}

// W5
TEST_F(FoldStoreTest, ChangesNothingWhenABatchIsFoldedTwice) {
  const std::vector<IncomingRecord> records{
      log.Accepted(id), log.Changed(id, v1::TRY_STATUS_SENT, 2, "SM1"),
      log.Callback(id, "SM1", "delivered", 3), log.Callback("", "SM1", "sent", 2)};
  FoldStore store = Store();
  ASSERT_TRUE(store.Fold(records));
  const std::string once = State();
  const std::string revision = Ask(AuditDatabase(), "SELECT revision FROM tocsin.alerts");
  ASSERT_TRUE(store.Fold(records));
  FoldStore restarted = Store("rebuilt");  // a store that starts from the beginning again
  ASSERT_TRUE(restarted.Fold(records));
  EXPECT_EQ(State(), once);
  EXPECT_EQ(Ask(AuditDatabase(), "SELECT revision FROM tocsin.alerts"), revision);
}

// W5
TEST_F(FoldStoreTest, EndsTheSameInWhateverOrderBatchesComeAndHoweverTheyAreCut) {
  std::vector<IncomingRecord> records;
  for (int i = 0; i < 8; ++i) {
    const std::string alert = AlertIdOf(i);
    const std::string sid = "SM" + std::to_string(i);
    records.push_back(log.Accepted(alert));
    records.push_back(log.Changed(alert, v1::TRY_STATUS_SENDING, 1));
    records.push_back(log.Changed(alert, v1::TRY_STATUS_SENT, 2, sid));
    records.push_back(log.Callback(alert, sid, i % 2 == 0 ? "delivered" : "undelivered", 3));
    records.push_back(log.Callback("", sid, "sent", 2));
    if (i % 3 == 0)
      records.push_back(log.Changed(alert, v1::TRY_STATUS_UNDELIVERED, 4, sid, "X", 30003, 2));
  }
  ASSERT_TRUE(Store().Fold(records));
  const std::string expected = State();
  for (unsigned seed = 1; seed <= 6; ++seed) {
    Clear(AuditDatabase());
    std::mt19937 random(seed);
    std::shuffle(records.begin(), records.end(), random);
    FoldStore store = Store();
    std::span<const IncomingRecord> left(records);
    int cut = 0;
    while (!left.empty()) {
      const size_t size = std::min<size_t>(left.size(), random() % 7 + 1);
      // Another cluster's name for each batch: positions of a shuffled log would not be in order.
      ASSERT_TRUE(Store("c" + std::to_string(cut++)).Fold(left.first(size)));
      left = left.subspan(size);
    }
    ASSERT_TRUE(store.SweepOrphans(FromUnixMicros(kAcceptedUs)));
    EXPECT_EQ(State(), expected) << "seed " << seed;
  }
}

TEST_F(FoldStoreTest, LetsOneOfTwoWritersOfAPartitionCommit) {
  FoldStore first = Store();
  FoldStore second = Store();
  const std::string events = log.topics.Events();
  ASSERT_TRUE(first.Fold(std::vector{log.Changed(id, v1::TRY_STATUS_SENDING, 1)}));
  ASSERT_EQ(*second.Position(events, 0), 1);
  ASSERT_TRUE(first.Fold(std::vector{log.Changed(id, v1::TRY_STATUS_SENT, 2)}));
  const std::string before = State();
  const auto late = log.Changed(AlertIdOf(2), v1::TRY_STATUS_SENT, 2);
  const Status refused = second.Fold(std::vector{late});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(State(), before);  // nothing of it was stored
  EXPECT_EQ(*second.Position(events, 0), 2);
  EXPECT_TRUE(second.Fold(std::vector{late}));
}

TEST_F(FoldStoreTest, NamesNoPositionForAPartitionNeverFolded) {
  const auto next = Store().Position(log.topics.Events(), 7);
  ASSERT_TRUE(next);
  EXPECT_EQ(*next, std::nullopt);
}

// W5
TEST_F(FoldStoreTest, JoinsACallbackWithoutATryWhenItsSidBecomesKnown) {
  FoldStore store = Store();
  ASSERT_TRUE(store.Fold(std::vector{log.Callback("", "SM9", "delivered", 3)}));
  EXPECT_EQ(Ask(AuditDatabase(), "SELECT count(*) FROM tocsin.orphans"), "1");
  ASSERT_TRUE(
      store.Fold(std::vector{log.Accepted(id), log.Changed(id, v1::TRY_STATUS_SENT, 2, "SM9")}));
  EXPECT_EQ(Ask(AuditDatabase(), "SELECT count(*) FROM tocsin.orphans"), "0");
  EXPECT_EQ(Read(id)->state(), v1::ALERT_STATE_DELIVERED);
}

TEST_F(FoldStoreTest, JoinsACallbackWithoutATryWhoseSidIsKnown) {
  FoldStore store = Store();
  ASSERT_TRUE(
      store.Fold(std::vector{log.Accepted(id), log.Changed(id, v1::TRY_STATUS_SENT, 2, "SM9")}));
  ASSERT_TRUE(store.Fold(std::vector{log.Callback("", "SM9", "delivered", 3)}));
  EXPECT_EQ(Read(id)->state(), v1::ALERT_STATE_DELIVERED);
}

TEST_F(FoldStoreTest, SweepsUpACallbackThatWasStoredBesideItsEvent) {
  FoldStore store = Store();
  ASSERT_TRUE(
      store.Fold(std::vector{log.Accepted(id), log.Changed(id, v1::TRY_STATUS_SENT, 2, "SM9")}));
  v1::WebhookRecord webhook;
  ASSERT_TRUE(webhook.ParseFromString(log.Callback("", "SM9", "delivered", 3).value));
  Ask(
      AuditDatabase(), "INSERT INTO tocsin.orphans SELECT '" + webhook.webhook_id() +
                           "', 'SM9', now(), '\\x" +
                           [&] {
                             std::string hex;
                             for (const unsigned char c : webhook.SerializeAsString()) {
                               constexpr char kDigits[] = "0123456789abcdef";
                               hex += {kDigits[c >> 4], kDigits[c & 15]};
                             }
                             return hex;
                           }() +
                           "'");
  EXPECT_EQ(store.SweepOrphans(FromUnixMicros(kAcceptedUs)).value_or(0), 1U);
  EXPECT_EQ(Read(id)->state(), v1::ALERT_STATE_DELIVERED);
}

TEST_F(FoldStoreTest, SetsAsideWhatCannotBeReadAndGoesOn) {
  FoldStore store = Store();
  v1::Event broken;
  broken.set_event_id("no uuid");
  broken.mutable_try_()->set_alert_id(id);
  broken.mutable_try_changed()->set_status(v1::TRY_STATUS_SENT);
  const std::vector<IncomingRecord> records{
      log.Accepted(id), log.Put(log.topics.Events(), "\xff\xff garbage"),
      log.Put(log.topics.Events(), broken.SerializeAsString()),
      log.Put(log.topics.Webhooks(), std::string(200'000, 'x')),
      log.Changed(id, v1::TRY_STATUS_SENT, 2)};
  ASSERT_TRUE(store.Fold(records));
  EXPECT_EQ(Ask(AuditDatabase(), "SELECT count(*) FROM tocsin.unparsed"), "3");
  EXPECT_EQ(Ask(AuditDatabase(), "SELECT max(length(value)) FROM tocsin.unparsed"), "65536");
  EXPECT_EQ(Ask(AuditDatabase(), "SELECT max(bytes) FROM tocsin.unparsed"), "200000");
  EXPECT_EQ(Read(id)->state(), v1::ALERT_STATE_SENT);
  EXPECT_EQ(*store.Position(log.topics.Events(), 0), 3);
}

TEST_F(FoldStoreTest, AdvancesPastWorkThatAcceptsNothing) {
  FoldStore store = Store();
  IncomingRecord retry = log.Accepted(id);
  retry.headers.clear();
  ASSERT_TRUE(store.Fold(std::vector{retry}));
  EXPECT_EQ(Ask(AuditDatabase(), "SELECT count(*) FROM tocsin.alerts"), "0");
  EXPECT_EQ(*store.Position(retry.position.topic(), 0), 1);
}

TEST_F(FoldStoreTest, SaysThatPostgresIsDown) {
  postgres::Options nowhere{.url = Secret("postgresql://nobody@127.0.0.1:1/none"),
                            .application = "audit_test"};
  FoldStore store(nowhere, "cluster", FoldedTopics(Topics()));
  const Status folded = store.Fold(std::vector{log.Accepted(id)});
  ASSERT_FALSE(folded);
  EXPECT_EQ(folded.error().code, ErrorCode::kPostgresUnavailable);
}

// O6
TEST_F(FoldStoreTest, MakesAMonthsPartitionsAndMovesWhatFellBeside) {
  FoldStore store = Store();
  ASSERT_TRUE(
      store.Fold(std::vector{log.Accepted(id), log.Changed(id, v1::TRY_STATUS_SENT, 2, "SM9")}));
  const std::string state = State();
  ASSERT_TRUE(store.EnsureMonths(FromUnixMicros(kAcceptedUs)));
  EXPECT_EQ(Ask(AuditDatabase(), "SELECT count(*) FROM tocsin.alerts_default"), "0");
  EXPECT_EQ(Ask(AuditDatabase(), "SELECT count(*) FROM tocsin.alerts_2026_09"), "1");
  EXPECT_NE(Ask(AuditDatabase(), "SELECT to_regclass('tocsin.facts_2026_10')"), "");
  EXPECT_EQ(State(), state);
  ASSERT_TRUE(store.EnsureMonths(FromUnixMicros(kAcceptedUs)));
  ASSERT_TRUE(store.Fold(std::vector{log.Callback(id, "SM9", "delivered", 4)}));
  EXPECT_EQ(Read(id)->state(), v1::ALERT_STATE_DELIVERED);
}

// A2
TEST_F(FoldStoreTest, LetsACallerWaitForAPositionThatAnotherReplicaFolds) {
  PositionBoard board(AuditDatabase(), "cluster");
  const IncomingRecord record = log.Accepted(id);
  std::promise<Status> answered;
  board.Wait({record.position.topic(), 0}, 0,
             std::chrono::steady_clock::now() + std::chrono::seconds(30),
             [&](const Status& status) { answered.set_value(status); });
  ASSERT_TRUE(Store().Fold(std::vector{record}));  // it does not tell the board
  EXPECT_TRUE(answered.get_future().get());
}

TEST_F(FoldStoreTest, AnswersACallerWhoseWaitIsOver) {
  PositionBoard board(AuditDatabase(), "cluster");
  std::promise<Status> answered;
  board.Wait({log.topics.Events(), 0}, 0, std::chrono::steady_clock::now(),
             [&](const Status& status) { answered.set_value(status); });
  const Status late = answered.get_future().get();
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kOverloaded);
}

// O6
TEST(Migrations, DeployVerifyRevertAndDeployAgain) {
  const FreshDatabase database(FreshDatabase::Holds::kNothing);
  const std::string& url = database.url();
  EXPECT_EQ(Sqitch("deploy --verify", url), 0);
  EXPECT_EQ(Sqitch("verify", url), 0);
  const postgres::Options options{.url = Secret(url), .application = "audit_test"};
  Ask(options, "SELECT tocsin.ensure_month('2026-09-01')");
  EXPECT_EQ(Sqitch("revert -y", url), 0);
  EXPECT_EQ(Ask(options, "SELECT count(*) FROM pg_namespace WHERE nspname = 'tocsin'"), "0");
  EXPECT_EQ(Sqitch("deploy --verify", url), 0);
}

}  // namespace
}  // namespace tocsin::audit
