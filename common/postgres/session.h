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
#include <utility>
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
  // SQL that each new connection runs first, such as what makes its temporary tables; may be empty.
  std::string at_connect = {};
};

// The text form of a value; nothing is NULL.
using Value = std::optional<std::string>;

// `sql` holds $1, $2, … for the parameters.
struct Statement {
  std::string sql;
  std::vector<Value> parameters;
};

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

// Rows on their way into a table by COPY: each leaves when it ends, none is kept. Values are added
// column by column.
class CopyRows {
 public:
  // `send` takes a row as a line of COPY's text format, without its end.
  explicit CopyRows(std::function<void(const std::string& line)> send) : send_(std::move(send)) {}

  CopyRows& Add(std::string_view text);
  CopyRows& Add(std::int64_t number);
  CopyRows& AddFlag(bool flag) { return Add(std::string_view(flag ? "t" : "f")); }
  CopyRows& AddBytes(std::string_view bytes);  // of a bytea
  CopyRows& AddNull();
  CopyRows& AddUnlessEmpty(std::string_view text) { return text.empty() ? AddNull() : Add(text); }
  void EndRow();

 private:
  std::string& Next();

  const std::function<void(const std::string&)> send_;
  std::string line_;
  bool first_ = true;
};

// The transaction that is under way. After an error nothing more may be asked of it.
class Transaction {
 public:
  virtual ~Transaction() = default;

  // `sql` holds $1, $2, … for the parameters. Blocks, the statement limit at most.
  virtual Result<Rows> Query(const std::string& sql, const std::vector<Value>& parameters = {}) = 0;

  // Sends the rows that `add` gives into columns of a table: `into` is "table (a, b, c)". They
  // stream, so memory does not grow with their number. Blocks, the statement limit at most beside
  // what `add` takes.
  virtual Status Copy(const std::string& into, const std::function<void(CopyRows&)>& add) = 0;
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
