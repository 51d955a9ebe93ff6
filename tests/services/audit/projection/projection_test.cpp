#include "services/audit/projection/projection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "common/base/encoding.h"
#include "services/audit/query/alert_reader.h"
#include "tests/services/audit/audit_database.h"
#include "tests/services/audit/record_builder.h"

namespace tocsin::audit {
namespace {

class ProjectionTest : public testing::Test {
 protected:
  void SetUp() override { ClearTables(AuditDatabase()); }

  Projection MakeProjection(const std::string& cluster = "cluster") {
    return Projection(AuditDatabase(), cluster, ProjectedTopics(Topics()));
  }

  Result<v1::Alert> Read(const std::string& alert_id, const std::string& client = "hospital") {
    postgres::Session session(AuditDatabase());
    return ReadAlert(session, client, alert_id);
  }

  std::string Query(const std::string& sql) { return QueryValue(AuditDatabase(), sql); }

  // Everything that must not depend on order or repetition. Revisions are times, so they
  // differ.
  std::string Digest() {
    return Query(
        "SELECT md5(coalesce((SELECT string_agg((to_jsonb(a) - 'revision')::text, '|' ORDER BY"
        " alert_id) FROM tocsin.alerts a), '')"
        " || coalesce((SELECT string_agg(t::text, '|' ORDER BY alert_id, step, attempt)"
        " FROM tocsin.attempts t), '')"
        " || coalesce((SELECT string_agg(e::text, '|' ORDER BY alert_id, event_id)"
        " FROM tocsin.alert_events e), '')"
        " || (SELECT count(*) FROM tocsin.webhooks) || '/'"
        " || (SELECT count(*) FROM tocsin.wrapped_keys) || '/'"
        " || (SELECT count(*) FROM tocsin.unmatched_callbacks))");
  }

  RecordBuilder build;
  const std::string id = AlertIdOf(1);
};

// S3
TEST_F(ProjectionTest, ProjectsADeliveredAlert) {
  Projection projection = MakeProjection();
  const std::vector<IncomingRecord> records{build.Accepted(id),
                                            build.Changed(id, v1::ATTEMPT_STATUS_SENDING, 1),
                                            build.Changed(id, v1::ATTEMPT_STATUS_SENT, 2, "SM1"),
                                            build.Callback(id, "SM1", "delivered", 3)};
  ASSERT_TRUE(projection.Apply(records));
  const auto alert = Read(id);
  ASSERT_TRUE(alert) << alert.error().message;
  EXPECT_EQ(alert->state(), v1::ALERT_STATE_DELIVERED);
  EXPECT_EQ(alert->masked_recipient(), "*******0123");
  EXPECT_EQ(alert->region_code(), "CA");
  EXPECT_EQ(alert->labels().at("ward \"7\""), "a\\b");
  EXPECT_EQ(alert->end_time().seconds(), kCreateTimeUs / 1'000'000 + 3);
  ASSERT_EQ(alert->attempts_size(), 1);
  EXPECT_EQ(alert->attempts(0).provider_sid(), "SM1");
  EXPECT_EQ(alert->attempts(0).start_time().seconds(), kCreateTimeUs / 1'000'000 + 1);
  ASSERT_EQ(alert->timeline_size(), 4);
  EXPECT_EQ(alert->timeline(0).description(), "Accepted");
  EXPECT_EQ(alert->timeline(3).description(), "Delivered");
}

TEST_F(ProjectionTest, StoresEveryFieldOfAnEvent) {
  Projection projection = MakeProjection();
  const std::vector<IncomingRecord> records{
      build.Accepted(id), build.Acknowledged(id, "ann", 1),
      build.Cancelled(id, v1::CANCEL_OUTCOME_ALREADY_ENDED, 2)};
  ASSERT_TRUE(projection.Apply(records));
  const auto alert = Read(id);
  ASSERT_EQ(alert->timeline_size(), 3);
  EXPECT_EQ(alert->timeline(1).description(), "Acknowledged by ann");
  EXPECT_EQ(alert->timeline(2).description(), "Cancel requested: already final");
}

TEST_F(ProjectionTest, ExplainsTheErrorOfAnAttempt) {
  Projection projection = MakeProjection();
  const std::vector<IncomingRecord> records{build.Accepted(id),
                                            build.Callback(id, "SM1", "undelivered", 3, 30003)};
  ASSERT_TRUE(projection.Apply(records));
  const auto alert = Read(id);
  ASSERT_TRUE(alert);
  EXPECT_EQ(alert->state(), v1::ALERT_STATE_FAILED);
  EXPECT_EQ(alert->attempts(0).provider_code(), 30003);
  EXPECT_FALSE(alert->attempts(0).explanation().empty());
}

TEST_F(ProjectionTest, AnAttemptThatWasNeverSubmittedHasNoStartTime) {
  Projection projection = MakeProjection();
  ASSERT_TRUE(projection.Apply(
      std::vector{build.Accepted(id), build.Changed(id, v1::ATTEMPT_STATUS_SENDING, 1),
                  build.Changed(id, v1::ATTEMPT_STATUS_CANCELLED, 2, "", "CANCELLED")}));
  EXPECT_FALSE(Read(id)->attempts(0).has_start_time());
}

TEST_F(ProjectionTest, ReturnsAnAlertToItsOwnClientOnly) {
  Projection projection = MakeProjection();
  ASSERT_TRUE(projection.Apply(std::vector{build.Accepted(id)}));
  EXPECT_TRUE(Read(id));
  EXPECT_EQ(Read(id, "another").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(Read(AlertIdOf(2)).error().code, ErrorCode::kNotFound);
}

// W5
TEST_F(ProjectionTest, ApplyingABatchTwiceChangesNothing) {
  const std::vector<IncomingRecord> records{
      build.Accepted(id), build.Changed(id, v1::ATTEMPT_STATUS_SENT, 2, "SM1"),
      build.Callback(id, "SM1", "delivered", 3), build.Callback("", "SM1", "sent", 2)};
  Projection projection = MakeProjection();
  ASSERT_TRUE(projection.Apply(records));
  const std::string once = Digest();
  const std::string revision = Query("SELECT revision FROM tocsin.alerts");
  ASSERT_TRUE(projection.Apply(records));
  Projection rebuilt = MakeProjection("rebuilt");  // starts at the beginning again
  ASSERT_TRUE(rebuilt.Apply(records));
  EXPECT_EQ(Digest(), once);
  EXPECT_EQ(Query("SELECT revision FROM tocsin.alerts"), revision);
}

// Twilio repeats a callback whose response was late. The repetition has the same id and a later
// time.
TEST_F(ProjectionTest, ARepeatedCallbackWithALaterTimeChangesNothing) {
  const std::vector<IncomingRecord> first{build.Accepted(id),
                                          build.Callback(id, "SM1", "delivered", 3)};
  const IncomingRecord repeated = build.Callback(id, "SM1", "delivered", 9);
  const IncomingRecord sent = build.Changed(id, v1::ATTEMPT_STATUS_SENT, 2, "SM1");
  Projection projection = MakeProjection();
  ASSERT_TRUE(projection.Apply(first));
  ASSERT_TRUE(projection.Apply(std::vector{sent}));
  const std::string expected = Digest();
  ClearTables(AuditDatabase());
  Projection with_repetition = MakeProjection("another");
  ASSERT_TRUE(with_repetition.Apply(first));
  ASSERT_TRUE(with_repetition.Apply(std::vector{repeated, sent}));
  EXPECT_EQ(Digest(), expected);
  EXPECT_EQ(Read(id)->end_time().seconds(), kCreateTimeUs / 1'000'000 + 3);
}

TEST_F(ProjectionTest, OfRepeatedCallbacksInOneBatchTheFirstIsStored) {
  std::vector<IncomingRecord> records;
  for (const int seconds : {3, 9})
    for (int i = 0; i < 100; ++i) {
      const std::string sid = "SM" + std::to_string(i);
      records.push_back(build.Callback(AlertIdOf(i), sid, "delivered", seconds));
    }
  ASSERT_TRUE(MakeProjection().Apply(records));
  for (const std::string times : {"SELECT DISTINCT event_time_us FROM tocsin.alert_events",
                                  "SELECT DISTINCT update_time_us FROM tocsin.attempts"})
    EXPECT_EQ(Query("SELECT string_agg(t::text, ' ') FROM (" + times + ") AS s (t)"),
              std::to_string(kCreateTimeUs + 3'000'000));
}

// W5
TEST_F(ProjectionTest, TheResultDependsNeitherOnTheOrderNorOnTheSizeOfBatches) {
  std::vector<IncomingRecord> records;
  for (int i = 0; i < 8; ++i) {
    const std::string alert = AlertIdOf(i);
    const std::string sid = "SM" + std::to_string(i);
    records.push_back(build.Accepted(alert));
    records.push_back(build.Changed(alert, v1::ATTEMPT_STATUS_SENDING, 1));
    records.push_back(build.Changed(alert, v1::ATTEMPT_STATUS_SENT, 2, sid));
    records.push_back(build.Callback(alert, sid, i % 2 == 0 ? "delivered" : "undelivered", 3));
    records.push_back(build.Callback("", sid, "sent", 2));
    if (i % 3 == 0)
      records.push_back(
          build.Changed(alert, v1::ATTEMPT_STATUS_UNDELIVERED, 4, sid, "X", 30003, 2));
  }
  ASSERT_TRUE(MakeProjection().Apply(records));
  const std::string expected = Digest();
  for (unsigned seed = 1; seed <= 6; ++seed) {
    ClearTables(AuditDatabase());
    std::mt19937 random(seed);
    std::shuffle(records.begin(), records.end(), random);
    Projection projection = MakeProjection();
    std::span<const IncomingRecord> left(records);
    int batch = 0;
    while (!left.empty()) {
      const size_t size = std::min<size_t>(left.size(), random() % 7 + 1);
      // Another cluster for each batch, because the offsets of a shuffled log are not in order.
      ASSERT_TRUE(MakeProjection("c" + std::to_string(batch++)).Apply(left.first(size)));
      left = left.subspan(size);
    }
    ASSERT_TRUE(projection.MatchCallbacks(FromUnixMicros(kCreateTimeUs)));
    EXPECT_EQ(Digest(), expected) << "seed " << seed;
  }
}

TEST_F(ProjectionTest, OnlyOneOfTwoWritersOfAPartitionCommits) {
  Projection first = MakeProjection();
  Projection second = MakeProjection();
  const std::string events = build.topics.Events();
  ASSERT_TRUE(first.Apply(std::vector{build.Changed(id, v1::ATTEMPT_STATUS_SENDING, 1)}));
  ASSERT_EQ(*second.NextOffset(events, 0), 1);
  ASSERT_TRUE(first.Apply(std::vector{build.Changed(id, v1::ATTEMPT_STATUS_SENT, 2)}));
  const std::string before = Digest();
  const auto late = build.Changed(AlertIdOf(2), v1::ATTEMPT_STATUS_SENT, 2);
  const Status refused = second.Apply(std::vector{late});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(Digest(), before);
  EXPECT_EQ(*second.NextOffset(events, 0), 2);
  EXPECT_TRUE(second.Apply(std::vector{late}));
}

// The records of many alerts, as two writers read them: events in the partition of the alert, the
// other records in any.
std::array<std::vector<IncomingRecord>, 2> RecordsOfTwoWriters(int alerts) {
  RecordBuilder build;
  std::array<std::vector<IncomingRecord>, 2> writers;
  std::map<std::pair<std::string, size_t>, std::int64_t> offsets;
  const auto add = [&](IncomingRecord record, int number) {
    const size_t writer = static_cast<size_t>(number) % 2;
    record.position.set_partition(static_cast<std::int32_t>(writer));
    record.position.set_offset(offsets[{record.position.topic(), writer}]++);
    writers[writer].push_back(std::move(record));
  };
  for (int i = 0; i < alerts; ++i) {
    const std::string alert = AlertIdOf(i);
    const std::string sid = "SM" + std::to_string(i);
    add(build.Accepted(alert), i / 2);
    add(build.Changed(alert, v1::ATTEMPT_STATUS_SENDING, 1), i);
    add(build.Changed(alert, v1::ATTEMPT_STATUS_SENT, 2, sid), i);
    add(build.Callback(alert, sid, "delivered", 3), i / 3);
    add(build.Callback("", sid, "sent", 2), i / 5);
  }
  return writers;
}

// Applies the records from the stored positions on, as a consumer does.
Status Continue(Projection& projection, std::span<const IncomingRecord> records, size_t batch) {
  std::vector<IncomingRecord> left;
  std::map<PartitionKey, std::int64_t> next;
  for (const IncomingRecord& record : records) {
    const PartitionKey partition{record.position.topic(), record.position.partition()};
    if (!next.contains(partition)) {
      TOCSIN_TRY(const auto stored, projection.NextOffset(partition.first, partition.second));
      next[partition] = stored.value_or(0);
    }
    if (record.position.offset() >= next[partition]) left.push_back(record);
  }
  for (std::span<const IncomingRecord> rest(left); !rest.empty();) {
    const auto first = rest.first(std::min(batch, rest.size()));
    TOCSIN_CHECK_OK(projection.Apply(first));
    rest = rest.subspan(first.size());
  }
  return {};
}

// W5
TEST_F(ProjectionTest, TwoWritersOfTheSameAlertsNeitherBlockEachOtherNorLoseAChange) {
  const auto records = RecordsOfTwoWriters(300);
  Projection single = MakeProjection("single");
  for (const auto& of_writer : records) ASSERT_TRUE(Continue(single, of_writer, 10'000));
  ASSERT_TRUE(single.MatchCallbacks(FromUnixMicros(kCreateTimeUs)));
  const std::string expected = Digest();
  for (const size_t batch : {30, 300}) {
    ClearTables(AuditDatabase());
    std::array<Status, 2> results;
    {
      std::vector<std::jthread> threads;
      for (size_t i = 0; i < 2; ++i)
        threads.emplace_back([&, i] {
          Projection projection = MakeProjection();
          results[i] = Continue(projection, records[i], batch);
        });
    }
    // A transaction that PostgreSQL aborted because of a deadlock would have failed.
    for (const Status& result : results) EXPECT_TRUE(result) << result.error().message;
    Projection projection = MakeProjection();
    ASSERT_TRUE(projection.MatchCallbacks(FromUnixMicros(kCreateTimeUs)));
    EXPECT_EQ(Digest(), expected) << "batches of " << batch;
  }
}

#ifdef TOCSIN_FAILPOINTS
// The failpoints of this process are armed by files with this name. Set before the first failpoint
// is reached.
const std::string& FailpointFile() {
  static const std::string file =
      testing::TempDir() + "projection_test_" + std::to_string(getpid());
  return file;
}
const int failpoint_file_is_set = setenv("TOCSIN_FAILPOINT_FILE", FailpointFile().c_str(), 1);

// Ends the process by SIGKILL when one writer has committed and the other has not.
void ApplyAndDie(const std::array<std::vector<IncomingRecord>, 2>& records) {
  Projection first(AuditDatabase(), "cluster", ProjectedTopics(Topics()));
  Projection second(AuditDatabase(), "cluster", ProjectedTopics(Topics()));
  if (!first.Apply(std::span(records[0]).first(100))) return;
  std::ofstream(FailpointFile() + ".project") << "kill";
  static_cast<void>(second.Apply(std::span(records[1]).first(100)));
}

// W5
TEST_F(ProjectionTest, AProcessThatIsKilledBetweenTheCommitsOfItsWritersLosesAndRepeatsNothing) {
  const auto records = RecordsOfTwoWriters(60);
  Projection single = MakeProjection("single");
  for (const auto& of_writer : records) ASSERT_TRUE(Continue(single, of_writer, 10'000));
  ASSERT_TRUE(single.MatchCallbacks(FromUnixMicros(kCreateTimeUs)));
  const std::string expected = Digest();
  ClearTables(AuditDatabase());
  ASSERT_EQ(failpoint_file_is_set, 0);
  EXPECT_EXIT(ApplyAndDie(records), testing::KilledBySignal(SIGKILL), "");
  std::filesystem::remove(FailpointFile() + ".reached");
  EXPECT_EQ(Query("SELECT count(DISTINCT partition) FROM tocsin.positions"), "1");
  std::map<TopicKind, size_t> counted;
  for (const auto& of_writer : records) {
    Projection projection = MakeProjection();
    projection.OnApplied([&](const AppliedBatch& batch) {
      for (const auto& [kind, count] : batch.records) counted[kind] += count;
    });
    ASSERT_TRUE(Continue(projection, of_writer, 50));
    ASSERT_TRUE(projection.MatchCallbacks(FromUnixMicros(kCreateTimeUs)));
  }
  EXPECT_EQ(Digest(), expected);
  size_t total = 0;
  for (const auto& [kind, count] : counted) total += count;
  EXPECT_EQ(total, records[0].size() + records[1].size() - 100);  // the first writer's are stored
}
#endif

// The database crashed before it had written the last commits to the disk, or was restored.
TEST_F(ProjectionTest, NoticesThatPostgresLostCommits) {
  Projection projection = MakeProjection();
  const auto accepted = build.Accepted(id);
  ASSERT_TRUE(projection.Apply(std::vector{accepted}));
  const auto sent = build.Changed(id, v1::ATTEMPT_STATUS_SENT, 2);
  const auto delivered = build.Changed(id, v1::ATTEMPT_STATUS_DELIVERED, 3);
  ASSERT_TRUE(projection.Apply(std::vector{sent, delivered}));
  EXPECT_TRUE(projection.CheckPositions());
  Query("UPDATE tocsin.positions SET next_offset = 1 WHERE topic = '" + build.topics.Events() +
        "'");
  EXPECT_EQ(projection.CheckPositions().error().code, ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(*projection.NextOffset(build.topics.Events(), 0), 1);
  EXPECT_TRUE(projection.CheckPositions());
  ASSERT_TRUE(projection.Apply(std::vector{delivered}));
  Query("DELETE FROM tocsin.positions");
  EXPECT_EQ(projection.CheckPositions().error().code, ErrorCode::kOutcomeUnknown);
}

// Another replica got the partition.
TEST_F(ProjectionTest, APositionThatAnotherWriterMovedIsNotLost) {
  Projection projection = MakeProjection();
  ASSERT_TRUE(projection.Apply(std::vector{build.Accepted(id)}));
  ASSERT_TRUE(MakeProjection().Apply(std::vector{build.Accepted(AlertIdOf(2))}));
  EXPECT_TRUE(projection.CheckPositions());
}

TEST_F(ProjectionTest, APartitionThatWasNeverProjectedHasNoNextOffset) {
  const auto next = MakeProjection().NextOffset(build.topics.Events(), 7);
  ASSERT_TRUE(next);
  EXPECT_EQ(*next, std::nullopt);
}

// W5
TEST_F(ProjectionTest, MatchesACallbackWithoutAnAttemptWhenItsSidBecomesKnown) {
  Projection projection = MakeProjection();
  ASSERT_TRUE(projection.Apply(std::vector{build.Callback("", "SM9", "delivered", 3)}));
  EXPECT_EQ(Query("SELECT count(*) FROM tocsin.unmatched_callbacks"), "1");
  ASSERT_TRUE(projection.Apply(
      std::vector{build.Accepted(id), build.Changed(id, v1::ATTEMPT_STATUS_SENT, 2, "SM9")}));
  EXPECT_EQ(Query("SELECT count(*) FROM tocsin.unmatched_callbacks"), "0");
  EXPECT_EQ(Read(id)->state(), v1::ALERT_STATE_DELIVERED);
}

TEST_F(ProjectionTest, MatchesACallbackWithoutAnAttemptWhoseSidIsKnown) {
  Projection projection = MakeProjection();
  ASSERT_TRUE(projection.Apply(
      std::vector{build.Accepted(id), build.Changed(id, v1::ATTEMPT_STATUS_SENT, 2, "SM9")}));
  ASSERT_TRUE(projection.Apply(std::vector{build.Callback("", "SM9", "delivered", 3)}));
  EXPECT_EQ(Read(id)->state(), v1::ALERT_STATE_DELIVERED);
}

TEST_F(ProjectionTest, MatchesACallbackThatWasStoredAtTheSameTimeAsItsEvent) {
  Projection projection = MakeProjection();
  ASSERT_TRUE(projection.Apply(
      std::vector{build.Accepted(id), build.Changed(id, v1::ATTEMPT_STATUS_SENT, 2, "SM9")}));
  records::v1::WebhookRecord webhook;
  ASSERT_TRUE(webhook.ParseFromString(build.Callback("", "SM9", "delivered", 3).value));
  Query("INSERT INTO tocsin.unmatched_callbacks (webhook_id, provider_sid, record) VALUES ('" +
        webhook.webhook_id() + "', 'SM9', '\\x" + HexEncode(webhook.SerializeAsString()) + "')");
  EXPECT_EQ(projection.MatchCallbacks(FromUnixMicros(kCreateTimeUs)).value_or(0), 1U);
  EXPECT_EQ(Read(id)->state(), v1::ALERT_STATE_DELIVERED);
}

TEST_F(ProjectionTest, StoresRecordsThatCannotBeParsedAndContinues) {
  Projection projection = MakeProjection();
  records::v1::Event invalid;
  invalid.set_event_id("not a UUID");
  invalid.mutable_attempt()->set_alert_id(id);
  invalid.mutable_attempt_changed()->set_status(v1::ATTEMPT_STATUS_SENT);
  const std::vector<IncomingRecord> records{
      build.Accepted(id), build.Put(build.topics.Events(), "\xff\xff garbage"),
      build.Put(build.topics.Events(), invalid.SerializeAsString()),
      build.Put(build.topics.Webhooks(), std::string(200'000, 'x')),
      build.Changed(id, v1::ATTEMPT_STATUS_SENT, 2)};
  ASSERT_TRUE(projection.Apply(records));
  EXPECT_EQ(Query("SELECT count(*) FROM tocsin.unparsed WHERE cluster_id = 'cluster'"), "3");
  EXPECT_EQ(Query("SELECT max(length(value)) FROM tocsin.unparsed"), "65536");
  EXPECT_EQ(Query("SELECT max(value_length) FROM tocsin.unparsed"), "200000");
  EXPECT_EQ(Read(id)->state(), v1::ALERT_STATE_SENT);
  EXPECT_EQ(*projection.NextOffset(build.topics.Events(), 0), 3);
}

// The number of an enum value of a later version does not fit into the column.
TEST_F(ProjectionTest, StoresARecordThatPostgresRefusesAsUnparsed) {
  Projection projection = MakeProjection();
  IncomingRecord refused = build.Changed(AlertIdOf(2), v1::ATTEMPT_STATUS_SENT, 2);
  records::v1::Event event;
  ASSERT_TRUE(event.ParseFromString(refused.value));
  event.mutable_attempt_changed()->set_error_class(
      static_cast<records::v1::ProviderErrorClass>(1'000'000));
  refused.value = event.SerializeAsString();
  const std::vector<IncomingRecord> records{build.Accepted(id), refused,
                                            build.Changed(id, v1::ATTEMPT_STATUS_SENT, 2)};
  ASSERT_TRUE(projection.Apply(records));
  EXPECT_EQ(Query("SELECT count(*) FROM tocsin.unparsed"), "1");
  EXPECT_EQ(Read(id)->state(), v1::ALERT_STATE_SENT);
  EXPECT_EQ(Read(AlertIdOf(2)).error().code, ErrorCode::kNotFound);
}

TEST_F(ProjectionTest, MovesPastWorkRecordsThatAcceptNothing) {
  Projection projection = MakeProjection();
  IncomingRecord retry = build.Accepted(id);
  retry.headers.clear();
  ASSERT_TRUE(projection.Apply(std::vector{retry}));
  EXPECT_EQ(Query("SELECT count(*) FROM tocsin.alerts"), "0");
  EXPECT_EQ(*projection.NextOffset(retry.position.topic(), 0), 1);
}

TEST_F(ProjectionTest, FailsWithPostgresUnavailableWhenPostgresIsDown) {
  Projection projection(UnreachableDatabase(), "cluster", ProjectedTopics(Topics()));
  const Status applied = projection.Apply(std::vector{build.Accepted(id)});
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, ErrorCode::kPostgresUnavailable);
}

// O6
TEST_F(ProjectionTest, CreatesPartitionsAndMovesRowsOutOfTheDefaultPartition) {
  Projection projection = MakeProjection();
  ASSERT_TRUE(projection.Apply(
      std::vector{build.Accepted(id), build.Changed(id, v1::ATTEMPT_STATUS_SENT, 2, "SM9")}));
  const std::string before = Digest();
  ASSERT_TRUE(projection.EnsurePartitions(FromUnixMicros(kCreateTimeUs)));
  EXPECT_EQ(Query("SELECT count(*) FROM tocsin.alerts_default"), "0");
  EXPECT_EQ(Query("SELECT count(*) FROM tocsin.alerts_2026_09"), "1");
  EXPECT_NE(Query("SELECT to_regclass('tocsin.alert_events_2026_10')"), "");
  EXPECT_EQ(Digest(), before);
  ASSERT_TRUE(projection.EnsurePartitions(FromUnixMicros(kCreateTimeUs)));
  ASSERT_TRUE(projection.Apply(std::vector{build.Callback(id, "SM9", "delivered", 4)}));
  EXPECT_EQ(Read(id)->state(), v1::ALERT_STATE_DELIVERED);
}

// O6
TEST(MigrationsTest, DeployVerifyRevertAndDeployAgain) {
  const FreshDatabase database(FreshDatabase::Content::kEmpty);
  const std::string& url = database.url();
  EXPECT_EQ(Sqitch("deploy --verify", url), 0);
  EXPECT_EQ(Sqitch("verify", url), 0);
  const postgres::Options options{.url = Secret(url), .application = "audit_test"};
  QueryValue(options, "SELECT tocsin.ensure_month('2026-09-01')");
  EXPECT_EQ(Sqitch("revert -y", url), 0);
  EXPECT_EQ(QueryValue(options, "SELECT count(*) FROM pg_namespace WHERE nspname = 'tocsin'"), "0");
  EXPECT_EQ(Sqitch("deploy --verify", url), 0);
}

}  // namespace
}  // namespace tocsin::audit
