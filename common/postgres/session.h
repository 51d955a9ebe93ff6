// One connection to PostgreSQL (libpqxx): transactions that either happen whole or not at all. What
// the library throws ends here as a Result.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/secret.h"

namespace tocsin::postgres {

constexpr std::chrono::seconds kConnectLimit{3};  // one attempt to connect
constexpr std::chrono::seconds kSilenceLimit{
    10};  // unanswered bytes before the link counts as dead
constexpr std::chrono::milliseconds kStatementLimit{10'000};

struct Options {
  Secret url;               // "postgresql://…" or "host=… dbname=…", as libpq takes it
  std::string application;  // shown in pg_stat_activity
  std::chrono::milliseconds statement_limit = kStatementLimit;
  // False: a commit does not wait for the disk. For work that can be done again after a crash of
  // the database, such as folding a log from the position stored with it.
  bool durable_commit = true;
  // True: tables are read by index wherever there is one. For statements that touch few rows of
  // tables that grow: until their statistics are known the planner may take them for small, and
  // read them whole.
  bool prefer_indexes = false;
};

// The text form of a value; nothing is NULL.
using Value = std::optional<std::string>;

// What a statement gave. Immutable, cheap to copy, outlives its session. Rows and columns count
// from 0.
class Rows {
 public:
  struct Parts;
  explicit Rows(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}

  size_t size() const;
  size_t affected() const;  // rows inserted, updated or deleted
  bool IsNull(size_t row, size_t column) const;
  std::string_view Text(size_t row,
                        size_t column) const;  // empty for NULL; valid while a copy lives
  std::int64_t Integer(size_t row, size_t column) const;  // 0 for NULL; aborts on other text
  bool Boolean(size_t row, size_t column) const;          // false for NULL
  std::optional<std::int64_t> OptionalInteger(size_t row, size_t column) const;
  std::string Bytes(size_t row, size_t column) const;  // of a bytea

 private:
  std::shared_ptr<const Parts> parts_;
};

// Rows on their way to the database, as one array per column: `unnest($1::uuid[], $2::bigint[], …)`
// makes rows of them again, and one statement writes them all. Values are added row by row, column
// by column.
class RowArrays {
 public:
  // `columns` is at least 1; `expected` rows are made room for.
  RowArrays(size_t columns, size_t expected);

  RowArrays& Add(std::string_view text);
  RowArrays& Add(std::int64_t number);
  RowArrays& AddFlag(bool flag) { return Add(std::string_view(flag ? "t" : "f")); }
  RowArrays& AddHex(std::string_view bytes);  // decode(…, 'hex') makes a bytea of it
  RowArrays& AddNull();
  RowArrays& AddUnlessEmpty(std::string_view text) { return text.empty() ? AddNull() : Add(text); }

  size_t size() const { return rows_; }
  bool empty() const { return rows_ == 0; }

  // The array literals in order of columns; called when the last row is complete.
  std::vector<Value> Parameters() &&;

 private:
  std::string& Next();

  std::vector<std::string> columns_;
  size_t next_ = 0;
  size_t rows_ = 0;
};

// The transaction that is under way. After an error nothing more may be asked of it.
class Transaction {
 public:
  virtual ~Transaction() = default;

  // `sql` holds $1, $2, … for the parameters. Blocks, the statement limit at most.
  virtual Result<Rows> Query(const std::string& sql, const std::vector<Value>& parameters = {}) = 0;
};

// For one thread at a time. Connects when it is first used and again after the connection broke.
class Session {
 public:
  explicit Session(Options options);
  ~Session();

  // Runs `body` in a transaction (READ COMMITTED) and commits when it succeeds; rolls back on an
  // error, which is returned. kPostgresUnavailable when there is no connection, it broke, a limit
  // was reached or a lock was lost to another (then nothing happened, or, when the connection broke
  // while committing, perhaps all of it: the caller reads it back). kCorrupt, naming the
  // constraint if it was one, when the data did not fit; kInternal for a fault of schema or
  // statement. Blocks: connect limit, then a statement limit per statement.
  Status Run(const std::function<Status(Transaction&)>& body);

 private:
  struct Parts;
  Status Connect();

  const Options options_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace tocsin::postgres
