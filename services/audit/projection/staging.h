// Inserts many rows at once: by COPY into a temporary table of the session, and from there by one
// statement that resolves conflicts.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/postgres/session.h"
#include "services/audit/projection/sql_table.h"

namespace tocsin::audit {

// For postgres::Options::on_connect of sessions that call Insert() or Upsert(): creates an empty
// temporary copy of each table, which every commit empties.
std::string CreateStagingTables(const std::vector<std::string_view>& tables);

namespace staging {

// COPY and the INSERT that follows it. `columns` are those that `add` writes; `conflict` is the
// statement's end: "ON CONFLICT ... RETURNING ...".
Result<postgres::Rows> Run(postgres::Transaction& transaction, std::string_view table,
                           const std::string& columns, const std::string& conflict,
                           const std::function<void(postgres::CopyRows&)>& add);

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

template <typename Row, typename Range>
Result<postgres::Rows> Write(postgres::Transaction& transaction, const Table<Row>& table,
                             const Range& rows, const std::string& conflict) {
  return Run(transaction, table.name, WrittenColumns(table), conflict, [&](postgres::CopyRows& to) {
    for (const Row& row : rows) {
      for (const Column<Row>& column : table.columns)
        if (column.add != nullptr) column.add(row, to);
      to.EndRow();
    }
  });
}

}  // namespace staging

// Inserts `rows` (a range of Row) in their order and skips those whose key exists. Returns a row
// with the first key column of each that was inserted. Blocks for three statements.
template <typename Row, typename Range>
Result<postgres::Rows> Insert(postgres::Transaction& transaction, const Table<Row>& table,
                              const Range& rows) {
  return staging::Write(
      transaction, table, rows,
      "ON CONFLICT DO NOTHING RETURNING " + std::string(table.columns.front().name));
}

// Inserts or replaces. `also` is an assignment for replaced rows, such as "a = table.a + 1"; may be
// empty.
template <typename Row, typename Range>
Status Upsert(postgres::Transaction& transaction, const Table<Row>& table, const Range& rows,
              const std::string& also = {}) {
  TOCSIN_CHECK_OK(staging::Write(transaction, table, rows,
                                 "ON CONFLICT (" + staging::Key(table) + ") DO UPDATE SET " +
                                     staging::Assignments(table) +
                                     (also.empty() ? "" : ", " + also)));
  return {};
}

}  // namespace tocsin::audit
