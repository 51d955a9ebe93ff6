// Transactions on one connection to PostgreSQL (libpqxx). Exceptions of the library become Results.
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

constexpr std::chrono::seconds kConnectTimeout{3};
constexpr std::chrono::seconds kTcpUserTimeout{10};  // unacknowledged data closes the connection
constexpr std::chrono::milliseconds kStatementTimeout{10'000};
constexpr size_t kMaxPreparedStatements = 100;  // of a connection; further ones are not prepared

struct Options {
  Secret url;               // libpq connection string: "postgresql://…" or "host=… dbname=…"
  std::string application;  // shown in pg_stat_activity
  std::chrono::milliseconds statement_timeout = kStatementTimeout;
  // False: a commit does not wait for the disk. For work that is repeated after a crash of the
  // database, such as applying a log from the offset stored with it.
  bool synchronous_commit = true;
  // True: sets enable_seqscan to off. For statements that touch few rows of growing tables: without
  // current statistics the planner may assume that such a table is small, and scan it.
  bool prefer_indexes = false;
  // True: statements with parameters are prepared, and planned for all values of them, so
  // PostgreSQL parses and plans each text once per connection. For a session that runs the same few
  // statements again and again, with plans that do not depend on the values.
  bool prepare_statements = false;
};

// A value in text format; NULL without one.
using Value = std::optional<std::string>;

// `sql` contains $1, $2, … for the parameters.
struct Statement {
  std::string sql;
  std::vector<Value> parameters;
};

// The result of a statement. Immutable, cheap to copy, may outlive its session. Rows and columns
// are numbered from 0.
class Rows {
 public:
  struct Impl;
  explicit Rows(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

  size_t size() const;
  size_t affected() const;  // rows inserted, updated or deleted
  bool IsNull(size_t row, size_t column) const;
  // Empty for NULL; valid as long as a copy of this object exists.
  std::string_view Text(size_t row, size_t column) const;
  std::int64_t Integer(size_t row, size_t column) const;  // 0 for NULL; aborts if it is no number
  bool Boolean(size_t row, size_t column) const;          // false for NULL
  std::optional<std::int64_t> OptionalInteger(size_t row, size_t column) const;
  std::string Bytes(size_t row, size_t column) const;  // of a bytea column

 private:
  std::shared_ptr<const Impl> impl_;
};

// Rows that are written with one statement. Values are added row by row, in the order of the
// columns.
class RowWriter {
 public:
  virtual ~RowWriter() = default;

  virtual RowWriter& Add(std::string_view text) = 0;
  virtual RowWriter& Add(std::int64_t number) = 0;
  virtual RowWriter& AddBytes(std::string_view bytes) = 0;  // for a bytea column
  virtual RowWriter& AddNull() = 0;
  virtual void EndRow() = 0;

  RowWriter& AddFlag(bool flag) { return Add(std::string_view(flag ? "t" : "f")); }
  RowWriter& AddUnlessEmpty(std::string_view text) { return text.empty() ? AddNull() : Add(text); }
};

// Rows as one array parameter per column, so that one statement writes them all: it converts them
// to rows by `unnest($1::uuid[], $2::bigint[], …)`.
class RowArrays final : public RowWriter {
 public:
  // `columns` is at least 1; reserves memory for `expected` rows.
  RowArrays(size_t columns, size_t expected);

  RowArrays& Add(std::string_view text) override;
  RowArrays& Add(std::int64_t number) override;
  RowArrays& AddBytes(std::string_view bytes) override;
  RowArrays& AddNull() override;
  void EndRow() override;  // aborts if the row is incomplete

  size_t size() const { return rows_; }
  bool empty() const { return rows_ == 0; }

  // The array literals in the order of the columns.
  std::vector<Value> Parameters() &&;

 private:
  std::string& Next();

  std::vector<std::string> columns_;
  size_t next_ = 0;
  size_t rows_ = 0;
};

// The parameter for $n::text[], $n::uuid[].
template <typename Range>
Value TextArray(const Range& texts) {
  RowArrays column(1, texts.size());
  for (const std::string& text : texts) column.Add(text).EndRow();
  return std::move(std::move(column).Parameters().front());
}

// Rows for COPY: EndRow() sends each row.
class CopyRows final : public RowWriter {
 public:
  // `send` gets each row as a line of COPY's text format, without the newline.
  explicit CopyRows(std::function<void(const std::string& line)> send) : send_(std::move(send)) {}

  CopyRows& Add(std::string_view text) override;
  CopyRows& Add(std::int64_t number) override;
  CopyRows& AddBytes(std::string_view bytes) override;
  CopyRows& AddNull() override;
  void EndRow() override;

 private:
  std::string& Next();

  const std::function<void(const std::string&)> send_;
  std::string line_;
  bool first_ = true;
};

// The current transaction. Must not be used after an error.
class Transaction {
 public:
  virtual ~Transaction() = default;

  // `sql` contains $1, $2, … for the parameters. Blocks, for the statement timeout at most.
  virtual Result<Rows> Query(const std::string& sql, const std::vector<Value>& parameters = {}) = 0;

  // Copies the rows that `add` adds to `target`, such as "table (a, b, c)", in a savepoint. They
  // are streamed, so memory does not grow with their number. Returns false if a row violates a
  // unique constraint: then none is stored, and the transaction can be used further. Blocks while
  // `add` runs, and for the statement timeout at most.
  virtual Result<bool> Copy(const std::string& target,
                            const std::function<void(RowWriter&)>& add) = 0;
};

// Used by one thread at a time. Connects at its first use, and again after the connection broke.
class Session {
 public:
  explicit Session(Options options);
  ~Session();

  // Runs `body` in a transaction (READ COMMITTED). Commits if it succeeds; otherwise rolls back and
  // returns its error. Fails with kPostgresUnavailable if there is no connection, it broke, a
  // timeout expired, or PostgreSQL aborted the transaction because of another (deadlock,
  // serialization): nothing was stored, unless the connection broke during the commit, where the
  // caller must read what was stored. Fails with kDataCorrupted, naming a violated constraint, if
  // PostgreSQL refused the data; with kInternal for errors in the schema or the statement. Blocks,
  // for the connect timeout and the statement timeout per statement at most.
  Status Run(const std::function<Status(Transaction&)>& body);

 private:
  struct Impl;
  Status Connect();

  const Options options_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin::postgres
