// Writes many rows to a table with few statements.
#pragma once

#include <iterator>
#include <optional>
#include <ranges>
#include <string>

#include "common/base/result.h"
#include "common/postgres/session.h"
#include "services/audit/projection/sql_table.h"

namespace tocsin::audit {

// As many rows are copied. For fewer, COPY and its savepoint take longer than an INSERT.
constexpr size_t kMinCopiedRows = 50;

namespace bulk {

// "a = excluded.a, ..." for the columns outside the key.
template <typename Row>
std::string Assignments(const Table<Row>& table) {
  std::string text;
  for (const Column<Row>& column : table.columns.subspan(table.key_columns))
    if (column.add != nullptr)
      (text += text.empty() ? "" : ", ")
          .append(column.name)
          .append(" = excluded.")
          .append(column.name);
  return text;
}

// "a, b": the key.
template <typename Row>
std::string Key(const Table<Row>& table) {
  std::string text;
  for (const Column<Row>& column : table.columns.first(table.key_columns))
    (text += text.empty() ? "" : ", ").append(column.name);
  return text;
}

// "unnest($1::uuid[], $2::bigint[])": the columns that are written as array parameters.
template <typename Row>
std::string Unnest(const Table<Row>& table) {
  std::string text;
  size_t number = 0;
  for (const Column<Row>& column : table.columns)
    if (column.add != nullptr)
      text.append(text.empty() ? "unnest($" : ", $")
          .append(std::to_string(++number))
          .append("::")
          .append(column.type)
          .append("[]");
  return text + ')';
}

// INSERT in the order of the rows. `conflict` is its end: "ON CONFLICT ... RETURNING ...".
template <typename Row, typename Range>
Result<postgres::Rows> InsertArrays(postgres::Transaction& transaction, const Table<Row>& table,
                                    const Range& rows, const std::string& conflict) {
  const auto columns = static_cast<size_t>(std::ranges::count_if(
      table.columns, [](const Column<Row>& column) { return column.add != nullptr; }));
  postgres::RowArrays arrays(columns, static_cast<size_t>(std::ranges::distance(rows)));
  for (const Row& row : rows) WriteRow(table, row, arrays);
  return transaction.Query("INSERT INTO tocsin." + std::string(table.name) + " (" +
                               WrittenColumns(table) + ") SELECT * FROM " + Unnest(table) + ' ' +
                               conflict,
                           std::move(arrays).Parameters());
}

}  // namespace bulk

// Inserts `rows` (a range of Row) in their order and skips those whose key exists. Returns nothing
// if all of them were inserted, else a row with the first key column of each that was. Blocks for
// up to four statements: almost always no key exists, so the rows are copied; only if that fails
// they are inserted with a check of each.
template <typename Row, typename Range>
Result<std::optional<postgres::Rows>> Insert(postgres::Transaction& transaction,
                                             const Table<Row>& table, const Range& rows) {
  if (std::ranges::empty(rows)) return std::optional<postgres::Rows>();
  const auto count = static_cast<size_t>(std::ranges::distance(rows));
  if (count >= kMinCopiedRows) {
    const std::string target = "tocsin." + std::string(table.name);
    TOCSIN_TRY(const bool copied, transaction.Copy(target + " (" + WrittenColumns(table) + ')',
                                                   [&](postgres::RowWriter& to) {
                                                     for (const Row& row : rows)
                                                       WriteRow(table, row, to);
                                                   }));
    if (copied) return std::optional<postgres::Rows>();
  }
  TOCSIN_TRY(postgres::Rows inserted,
             bulk::InsertArrays(
                 transaction, table, rows,
                 "ON CONFLICT DO NOTHING RETURNING " + std::string(table.columns.front().name)));
  if (inserted.size() == count) return std::optional<postgres::Rows>();
  return std::optional(std::move(inserted));
}

// Inserts or replaces. No two rows have the same key. `also` is an assignment for replaced rows,
// such as "a = table.a + 1"; may be empty.
template <typename Row, typename Range>
Status Upsert(postgres::Transaction& transaction, const Table<Row>& table, const Range& rows,
              const std::string& also = {}) {
  if (std::ranges::empty(rows)) return {};
  TOCSIN_CHECK_OK(bulk::InsertArrays(transaction, table, rows,
                                     "ON CONFLICT (" + bulk::Key(table) + ") DO UPDATE SET " +
                                         bulk::Assignments(table) +
                                         (also.empty() ? "" : ", " + also)));
  return {};
}

}  // namespace tocsin::audit
