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

Options Real() {
  const char* url = std::getenv("TOCSIN_POSTGRES_URL");
  if (url == nullptr) ADD_FAILURE() << "TOCSIN_POSTGRES_URL is not set";
  return {.url = Secret(url == nullptr ? "" : url), .application = "session_test"};
}

Options Nowhere() {
  return {.url = Secret("postgresql://u:hidden-word@127.0.0.1:1/none"),
          .application = "session_test"};
}

Status Ask(Session& session, const std::string& sql, const std::vector<Value>& parameters = {}) {
  return session.Run([&](Transaction& transaction) -> Status {
    TOCSIN_CHECK_OK(transaction.Query(sql, parameters));
    return {};
  });
}

TEST(RowArrays, KeepTextWithQuotesAndBackslashesAsItIs) {
  Session session(Real());
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

constexpr char kTemporary[] =
    "CREATE TEMPORARY TABLE copied (n integer, a text, b bytea, c boolean, d text)"
    " ON COMMIT DELETE ROWS";

// Of the rows of `copied`.
Status Copied(Session& session, const std::function<void(CopyRows&)>& add,
              const std::function<void(const Rows&)>& look) {
  return session.Run([&](Transaction& transaction) -> Status {
    TOCSIN_CHECK_OK(transaction.Copy("copied (n, a, b, c, d)", add));
    TOCSIN_TRY(const Rows rows, transaction.Query("SELECT * FROM copied ORDER BY n"));
    look(rows);
    return {};
  });
}

TEST(CopyRows, KeepEveryCharacterAndByteAsItIs) {
  Options options = Real();
  options.at_connect = kTemporary;
  Session session(options);
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  const std::vector<std::string> texts{"",     "\\N",       "\\.",   "a\tb\nc\rd",
                                       "c\\d", "päck 日本", "\x7f\b"};
  ASSERT_TRUE(Copied(
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

TEST(CopyRows, WhatDoesNotFitIsAFaultOfTheDataAndNothingOfItStays) {
  Options options = Real();
  options.at_connect = kTemporary;
  Session session(options);
  const Status refused = Copied(
      session,
      [](CopyRows& rows) {
        rows.Add(1).Add("fits").AddNull().AddNull().AddNull().EndRow();
        rows.Add("hidden-word").AddNull().AddNull().AddNull().AddNull().EndRow();
      },
      [](const Rows&) { ADD_FAILURE() << "was taken"; });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(refused.error().message, Not(HasSubstr("hidden-word")));
  ASSERT_TRUE(Copied(
      session, [](CopyRows&) {}, [](const Rows& rows) { EXPECT_EQ(rows.size(), 0U); }));
}

TEST(Session, SaysThatThereIsNoConnectionAndHidesTheUrl) {
  Session session(Nowhere());
  const Status status = Ask(session, "SELECT 1");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kPostgresUnavailable);
  EXPECT_THAT(status.error().message, Not(HasSubstr("hidden-word")));
}

TEST(Session, NamesTheConstraintAndNoValue) {
  Session session(Real());
  const Status status = session.Run([](Transaction& transaction) -> Status {
    TOCSIN_CHECK_OK(transaction.Query(
        "CREATE TEMP TABLE t (n text CONSTRAINT only_short CHECK (length(n) < 3)) ON COMMIT DROP"));
    TOCSIN_CHECK_OK(transaction.Query("INSERT INTO t VALUES ($1)", {"+15550001111"}));
    return {};
  });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(status.error().message, HasSubstr("only_short"));
  EXPECT_THAT(status.error().message, Not(HasSubstr("5550001111")));
}

TEST(Session, ConnectsAgainAfterItsConnectionWasCut) {
  Session session(Real());
  const Status cut = Ask(session, "SELECT pg_terminate_backend(pg_backend_pid())");
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, ErrorCode::kPostgresUnavailable);
  EXPECT_TRUE(Ask(session, "SELECT 1"));
}

TEST(Session, GivesUpAStatementThatTakesTooLong) {
  Options options = Real();
  options.statement_limit = std::chrono::milliseconds(50);
  Session session(options);
  const Status status = Ask(session, "SELECT pg_sleep(60)");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kPostgresUnavailable);
}

TEST(Session, StoresNothingOfWorkThatFailed) {
  Session session(Real());
  ASSERT_TRUE(Ask(session, "CREATE TEMP TABLE kept (n integer)"));
  const Status status = session.Run([](Transaction& transaction) -> Status {
    TOCSIN_CHECK_OK(transaction.Query("INSERT INTO kept VALUES (1)"));
    return Fail(ErrorCode::kOutcomeUnknown, "a reason of the caller's");
  });
  EXPECT_EQ(status.error().code, ErrorCode::kOutcomeUnknown);
  ASSERT_TRUE(session.Run([](Transaction& transaction) -> Status {
    TOCSIN_TRY(const Rows rows, transaction.Query("SELECT count(*) FROM kept"));
    EXPECT_EQ(rows.Integer(0, 0), 0);
    return {};
  }));
}

TEST(ReaderPool, RefusesWhatItCannotHoldAndCallsWhatWaitsWhenItCloses) {
  ReaderPool pool(Nowhere(), 1, 1);
  std::promise<void> begun;
  std::promise<void> go_on;
  ASSERT_TRUE(pool.Submit([&](Session*) {
    begun.set_value();
    go_on.get_future().wait();
  }));
  begun.get_future().wait();
  bool called_without_session = false;
  EXPECT_TRUE(pool.Submit([&](Session* session) { called_without_session = session == nullptr; }));
  EXPECT_FALSE(pool.Submit([](Session*) {}));
  std::thread closing([&] { pool.Close(); });
  while (pool.waiting() != 0) std::this_thread::yield();
  go_on.set_value();
  closing.join();
  EXPECT_TRUE(called_without_session);
  EXPECT_FALSE(pool.Submit([](Session*) {}));
}

}  // namespace
}  // namespace tocsin::postgres
