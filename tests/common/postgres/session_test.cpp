#include "common/postgres/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <future>
#include <thread>

#include "common/postgres/reader_pool.h"

namespace tocsin::postgres {
namespace {

using testing::HasSubstr;
using testing::Not;

Options TestDatabase() {
  const char* url = std::getenv("TOCSIN_POSTGRES_URL");
  if (url == nullptr) ADD_FAILURE() << "TOCSIN_POSTGRES_URL is not set";
  return {.url = Secret(url == nullptr ? "" : url), .application = "session_test"};
}

Options UnreachableDatabase() {
  return {.url = Secret("postgresql://u:hidden-word@127.0.0.1:1/none"),
          .application = "session_test"};
}

Status RunStatement(Session& session, const std::string& sql,
                    const std::vector<Value>& parameters = {}) {
  return session.Run([&](Transaction& transaction) -> Status {
    TOCSIN_CHECK_OK(transaction.Query(sql, parameters));
    return {};
  });
}

TEST(RowArraysTest, PreservesQuotesAndBackslashes) {
  Session session(TestDatabase());
  const std::vector<std::string> texts{"", "a\"b", "c\\d", "{x,y}", "NULL", "päck 日本"};
  RowArrays rows(2, texts.size());
  for (const std::string& text : texts) rows.Add(text).AddBytes(text).EndRow();
  rows.AddNull().AddNull().EndRow();
  std::vector<Value> parameters = std::move(rows).Parameters();
  ASSERT_TRUE(session.Run([&](Transaction& transaction) -> Status {
    TOCSIN_TRY(const Rows read, transaction.Query("SELECT a, b FROM unnest($1::text[], $2::bytea[])"
                                                  " WITH ORDINALITY AS s (a, b, n) ORDER BY n",
                                                  parameters));
    EXPECT_EQ(read.size(), texts.size() + 1);
    for (size_t i = 0; i < texts.size(); ++i) {
      EXPECT_EQ(read.Text(i, 0), texts[i]);
      EXPECT_EQ(read.Bytes(i, 1), texts[i]);
    }
    EXPECT_TRUE(read.IsNull(texts.size(), 0));
    return {};
  }));
}

constexpr char kCreateTable[] =
    "CREATE TEMPORARY TABLE copied (n integer PRIMARY KEY, a text, b bytea, c boolean, d text)"
    " ON COMMIT DROP";

// Copies rows into a new table and calls `check` with its content.
Status CopyAndRead(Session& session, const std::function<void(RowWriter&)>& add,
                   const std::function<void(const Rows&)>& check) {
  return session.Run([&](Transaction& transaction) -> Status {
    TOCSIN_CHECK_OK(transaction.Query(kCreateTable));
    TOCSIN_CHECK_OK(transaction.Copy("copied (n, a, b, c, d)", add));
    TOCSIN_TRY(const Rows rows, transaction.Query("SELECT * FROM copied ORDER BY n"));
    check(rows);
    return {};
  });
}

TEST(CopyRowsTest, PreservesAllCharactersAndBytes) {
  Session session(TestDatabase());
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  const std::vector<std::string> texts{"",     "\\N",       "\\.",   "a\tb\nc\rd",
                                       "c\\d", "päck 日本", "\x7f\b"};
  ASSERT_TRUE(CopyAndRead(
      session,
      [&](RowWriter& rows) {
        for (size_t i = 0; i < texts.size(); ++i)
          rows.Add(static_cast<std::int64_t>(i))
              .Add(texts[i])
              .AddBytes(bytes)
              .AddFlag(true)
              .AddUnlessEmpty("")
              .EndRow();
      },
      [&](const Rows& rows) {
        ASSERT_EQ(rows.size(), texts.size());
        for (size_t i = 0; i < texts.size(); ++i) {
          EXPECT_EQ(rows.Text(i, 1), texts[i]);
          EXPECT_EQ(rows.Bytes(i, 2), bytes);
          EXPECT_TRUE(rows.Boolean(i, 3));
          EXPECT_TRUE(rows.IsNull(i, 4));
        }
      }));
}

TEST(CopyRowsTest, StoresNothingIfARowIsRejected) {
  Session session(TestDatabase());
  const Status rejected = CopyAndRead(
      session,
      [](RowWriter& rows) {
        rows.Add(1).Add("valid").AddNull().AddNull().AddNull().EndRow();
        rows.Add("hidden-word").AddNull().AddNull().AddNull().AddNull().EndRow();
      },
      [](const Rows&) { ADD_FAILURE() << "row accepted"; });
  ASSERT_FALSE(rejected);
  EXPECT_EQ(rejected.error().code, ErrorCode::kDataCorrupted);
  EXPECT_THAT(rejected.error().message, Not(HasSubstr("hidden-word")));
  ASSERT_TRUE(CopyAndRead(
      session, [](RowWriter&) {}, [](const Rows& rows) { EXPECT_EQ(rows.size(), 0U); }));
}

TEST(CopyRowsTest, CopiesNothingIfAKeyExistsAndTheTransactionContinues) {
  Session session(TestDatabase());
  const auto add = [](RowWriter& rows) {
    for (const std::int64_t n : {2, 1, 3}) rows.Add(n).EndRow();
  };
  ASSERT_TRUE(session.Run([&](Transaction& transaction) -> Status {
    TOCSIN_CHECK_OK(transaction.Query(kCreateTable));
    TOCSIN_CHECK_OK(transaction.Query("INSERT INTO copied VALUES (1)"));
    TOCSIN_TRY(const bool copied, transaction.Copy("copied (n)", add));
    EXPECT_FALSE(copied);
    TOCSIN_TRY(const Rows rows, transaction.Query("SELECT n FROM copied"));
    EXPECT_EQ(rows.size(), 1U);
    return {};
  }));
}

// Each of two transactions waits for a lock of the other, so PostgreSQL aborts one.
TEST(SessionTest, ADeadlockCanBeRetried) {
  const auto lock_both = [](std::int64_t first, std::int64_t second, std::promise<void>& locked,
                            std::future<void> other) {
    Session session(TestDatabase());
    return session.Run([&](Transaction& transaction) -> Status {
      const std::string lock =
          "SELECT pg_advisory_xact_lock(hashtext('session_test'), $1::integer)";
      TOCSIN_CHECK_OK(transaction.Query(lock, {std::to_string(first)}));
      locked.set_value();
      other.wait();
      TOCSIN_CHECK_OK(transaction.Query(lock, {std::to_string(second)}));
      return {};
    });
  };
  std::promise<void> one;
  std::promise<void> two;
  auto aborted =
      std::async(std::launch::async, [&] { return lock_both(1, 2, one, two.get_future()); });
  const Status other = lock_both(2, 1, two, one.get_future());
  const Status first = aborted.get();
  ASSERT_NE(first.has_value(), other.has_value());
  EXPECT_EQ((first ? other : first).error().code, ErrorCode::kPostgresUnavailable);
}

TEST(SessionTest, ReportsAMissingConnectionWithoutTheUrl) {
  Session session(UnreachableDatabase());
  const Status status = RunStatement(session, "SELECT 1");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kPostgresUnavailable);
  EXPECT_THAT(status.error().message, Not(HasSubstr("hidden-word")));
}

TEST(SessionTest, NamesTheViolatedConstraintWithoutValues) {
  Session session(TestDatabase());
  const Status status = session.Run([](Transaction& transaction) -> Status {
    TOCSIN_CHECK_OK(transaction.Query(
        "CREATE TEMP TABLE t (n text CONSTRAINT only_short CHECK (length(n) < 3)) ON COMMIT DROP"));
    TOCSIN_CHECK_OK(transaction.Query("INSERT INTO t VALUES ($1)", {"+15550001111"}));
    return {};
  });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kDataCorrupted);
  EXPECT_THAT(status.error().message, HasSubstr("only_short"));
  EXPECT_THAT(status.error().message, Not(HasSubstr("5550001111")));
}

TEST(SessionTest, ReconnectsAfterItsConnectionWasTerminated) {
  Session session(TestDatabase());
  const Status terminated = RunStatement(session, "SELECT pg_terminate_backend(pg_backend_pid())");
  ASSERT_FALSE(terminated);
  EXPECT_EQ(terminated.error().code, ErrorCode::kPostgresUnavailable);
  EXPECT_TRUE(RunStatement(session, "SELECT 1"));
}

TEST(SessionTest, CancelsAStatementAfterTheTimeout) {
  Options options = TestDatabase();
  options.statement_timeout = std::chrono::milliseconds(50);
  Session session(options);
  const Status status = RunStatement(session, "SELECT pg_sleep(60)");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kPostgresUnavailable);
}

TEST(SessionTest, RollsBackWhenTheBodyFails) {
  Session session(TestDatabase());
  ASSERT_TRUE(RunStatement(session, "CREATE TEMP TABLE stored (n integer)"));
  const Status status = session.Run([](Transaction& transaction) -> Status {
    TOCSIN_CHECK_OK(transaction.Query("INSERT INTO stored VALUES (1)"));
    return Fail(ErrorCode::kOutcomeUnknown, "error of the caller");
  });
  EXPECT_EQ(status.error().code, ErrorCode::kOutcomeUnknown);
  ASSERT_TRUE(session.Run([](Transaction& transaction) -> Status {
    TOCSIN_TRY(const Rows rows, transaction.Query("SELECT count(*) FROM stored"));
    EXPECT_EQ(rows.Integer(0, 0), 0);
    return {};
  }));
}

// PostgreSQL counts the plans of each prepared statement.
TEST(SessionTest, PlansAPreparedStatementOnce) {
  Options options = TestDatabase();
  options.prepare_statements = true;
  Session session(options);
  for (int i = 1; i <= 10; ++i) {
    ASSERT_TRUE(session.Run([&](Transaction& transaction) -> Status {
      TOCSIN_TRY(const Rows rows, transaction.Query("SELECT $1::integer + 1", {std::to_string(i)}));
      EXPECT_EQ(rows.Integer(0, 0), i + 1);
      return {};
    }));
  }
  ASSERT_TRUE(session.Run([](Transaction& transaction) -> Status {
    TOCSIN_TRY(const Rows rows, transaction.Query("SELECT generic_plans, custom_plans"
                                                  "  FROM pg_prepared_statements"));
    EXPECT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows.Integer(0, 0), 10);
    EXPECT_EQ(rows.Integer(0, 1), 0);
    return {};
  }));
}

TEST(SessionTest, PreparesAgainAfterItsConnectionWasTerminated) {
  Options options = TestDatabase();
  options.prepare_statements = true;
  Session session(options);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(RunStatement(session, "SELECT $1::integer", {"1"}));
    const Status status =
        RunStatement(session, "SELECT pg_terminate_backend(pg_backend_pid(), $1)", {"0"});
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::kPostgresUnavailable);
  }
}

TEST(SessionTest, KeepsPreparedStatementsWhenATransactionFails) {
  Options options = TestDatabase();
  options.prepare_statements = true;
  Session session(options);
  EXPECT_FALSE(RunStatement(session, "SELECT 1 / $1::integer", {"0"}));
  EXPECT_TRUE(RunStatement(session, "SELECT 1 / $1::integer", {"1"}));
}

TEST(SessionTest, PreparesAgainAfterItsTableWasChanged) {
  Options options = TestDatabase();
  options.prepare_statements = true;
  Session session(options);
  Session other(TestDatabase());
  ASSERT_TRUE(RunStatement(other, "DROP TABLE IF EXISTS changed"));
  ASSERT_TRUE(RunStatement(other, "CREATE TABLE changed (n integer)"));
  const std::string select = "SELECT * FROM changed WHERE n = $1";
  ASSERT_TRUE(RunStatement(session, select, {"1"}));
  ASSERT_TRUE(RunStatement(other, "ALTER TABLE changed ADD COLUMN added integer"));
  EXPECT_FALSE(RunStatement(session, select, {"1"}));
  EXPECT_TRUE(RunStatement(session, select, {"1"}));
  ASSERT_TRUE(RunStatement(other, "DROP TABLE changed"));
}

TEST(SessionTest, PreparesABoundedNumberOfStatements) {
  Options options = TestDatabase();
  options.prepare_statements = true;
  Session session(options);
  ASSERT_TRUE(session.Run([](Transaction& transaction) -> Status {
    for (size_t i = 0; i < kMaxPreparedStatements + 10; ++i)
      TOCSIN_CHECK_OK(transaction.Query("SELECT $1::integer + " + std::to_string(i), {"1"}));
    TOCSIN_TRY(const Rows rows,
               transaction.Query("SELECT count(*) FROM pg_prepared_statements WHERE name <> ''"));
    EXPECT_EQ(rows.Integer(0, 0), static_cast<std::int64_t>(kMaxPreparedStatements));
    return {};
  }));
}

TEST(ReaderPoolTest, RefusesJobsWhenFullAndRunsQueuedJobsWithoutASessionWhenClosed) {
  ReaderPool pool(UnreachableDatabase(), 1, 1);
  std::promise<void> started;
  std::promise<void> proceed;
  ASSERT_TRUE(pool.Submit([&](Session*) {
    started.set_value();
    proceed.get_future().wait();
  }));
  started.get_future().wait();
  bool ran_without_session = false;
  EXPECT_TRUE(pool.Submit([&](Session* session) { ran_without_session = session == nullptr; }));
  EXPECT_FALSE(pool.Submit([](Session*) {}));
  std::thread closing([&] { pool.Close(); });
  while (pool.waiting() != 0) std::this_thread::yield();
  proceed.set_value();
  closing.join();
  EXPECT_TRUE(ran_without_session);
  EXPECT_FALSE(pool.Submit([](Session*) {}));
}

}  // namespace
}  // namespace tocsin::postgres
