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
  for (const std::string& text : texts) rows.Add(text).AddHex(text);
  rows.AddNull().AddNull();
  std::vector<Value> parameters = std::move(rows).Parameters();
  ASSERT_TRUE(session.Run([&](Transaction& transaction) -> Status {
    TOCSIN_TRY(const Rows read,
               transaction.Query("SELECT a, decode(b, 'hex') FROM unnest($1::text[], $2::text[])"
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
    "CREATE TEMPORARY TABLE copied (n integer, a text, b bytea, c boolean, d text)"
    " ON COMMIT DELETE ROWS";

// Copies rows into the table and calls `check` with its content.
Status CopyAndRead(Session& session, const std::function<void(CopyRows&)>& add,
                   const std::function<void(const Rows&)>& check) {
  return session.Run([&](Transaction& transaction) -> Status {
    TOCSIN_CHECK_OK(transaction.Copy("copied (n, a, b, c, d)", add));
    TOCSIN_TRY(const Rows rows, transaction.Query("SELECT * FROM copied ORDER BY n"));
    check(rows);
    return {};
  });
}

TEST(CopyRowsTest, PreservesAllCharactersAndBytes) {
  Options options = TestDatabase();
  options.on_connect = kCreateTable;
  Session session(options);
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  const std::vector<std::string> texts{"",     "\\N",       "\\.",   "a\tb\nc\rd",
                                       "c\\d", "päck 日本", "\x7f\b"};
  ASSERT_TRUE(CopyAndRead(
      session,
      [&](CopyRows& rows) {
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
  Options options = TestDatabase();
  options.on_connect = kCreateTable;
  Session session(options);
  const Status rejected = CopyAndRead(
      session,
      [](CopyRows& rows) {
        rows.Add(1).Add("valid").AddNull().AddNull().AddNull().EndRow();
        rows.Add("hidden-word").AddNull().AddNull().AddNull().AddNull().EndRow();
      },
      [](const Rows&) { ADD_FAILURE() << "row accepted"; });
  ASSERT_FALSE(rejected);
  EXPECT_EQ(rejected.error().code, ErrorCode::kDataCorrupted);
  EXPECT_THAT(rejected.error().message, Not(HasSubstr("hidden-word")));
  ASSERT_TRUE(CopyAndRead(
      session, [](CopyRows&) {}, [](const Rows& rows) { EXPECT_EQ(rows.size(), 0U); }));
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
