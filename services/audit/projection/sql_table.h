// The columns of an SQL table in one list, which drives inserts, upserts and reads.
//
//   constexpr std::array kColumns{
//       Field<AttemptRow, &AttemptRow::alert_id>("alert_id", "uuid"),
//       NullableField<AttemptRow, &AttemptRow::provider_sid>("provider_sid", "text"),
//   };
//   constexpr Table<AttemptRow> kAttempts{"attempts", kColumns, 1};
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "common/base/time.h"
#include "common/postgres/session.h"

namespace tocsin::audit {

template <typename Row>
struct Column {
  std::string_view name;
  std::string_view type;  // as PostgreSQL's format_type() prints it
  // Adds the value of `row`; null for a column that PostgreSQL fills by its default.
  void (*add)(const Row& row, postgres::RowWriter& to);
  // Reads the value; null for a column that is never read.
  void (*read)(const postgres::Rows& rows, std::size_t row, std::size_t column, Row& into);
};

template <typename Row>
struct Table {
  std::string_view name;  // in schema tocsin
  std::span<const Column<Row>> columns;
  std::size_t key_columns;  // the primary key: the first columns
};

namespace sql {

template <typename Number>
concept Numeric = (std::integral<Number> && !std::same_as<Number, bool>) || std::is_enum_v<Number>;

inline void Add(const std::string& text, postgres::RowWriter& to) { to.Add(text); }
inline void Add(bool flag, postgres::RowWriter& to) { to.AddFlag(flag); }
inline void Add(WallTime time, postgres::RowWriter& to) { to.Add(ToUnixMicros(time)); }
inline void Add(std::optional<std::int64_t> number, postgres::RowWriter& to) {
  number ? to.Add(*number) : to.AddNull();
}
template <Numeric Number>
void Add(Number number, postgres::RowWriter& to) {
  to.Add(static_cast<std::int64_t>(number));
}

inline void Read(const postgres::Rows& rows, std::size_t row, std::size_t column,
                 std::string& into) {
  into = rows.Text(row, column);
}
inline void Read(const postgres::Rows& rows, std::size_t row, std::size_t column, bool& into) {
  into = rows.Boolean(row, column);
}
inline void Read(const postgres::Rows& rows, std::size_t row, std::size_t column, WallTime& into) {
  into = FromUnixMicros(rows.Integer(row, column));
}
inline void Read(const postgres::Rows& rows, std::size_t row, std::size_t column,
                 std::optional<std::int64_t>& into) {
  into = rows.OptionalInteger(row, column);
}
template <Numeric Number>
void Read(const postgres::Rows& rows, std::size_t row, std::size_t column, Number& into) {
  into = static_cast<Number>(rows.Integer(row, column));
}

// The member at the end of a path.
template <auto... Path, typename Row>
constexpr auto& At(Row& row) {
  return (row.*....*Path);
}

inline bool IsEmpty(const std::string& text) { return text.empty(); }
template <Numeric Number>
bool IsEmpty(Number number) {
  return number == Number{};
}

}  // namespace sql

// The value at a path of members, such as &AlertRow::terms, &AlertTerms::client_id.
template <typename Row, auto... Path>
constexpr Column<Row> Field(std::string_view name, std::string_view type) {
  return {name, type,
          [](const Row& row, postgres::RowWriter& to) { sql::Add(sql::At<Path...>(row), to); },
          [](const postgres::Rows& rows, std::size_t row, std::size_t column, Row& into) {
            sql::Read(rows, row, column, sql::At<Path...>(into));
          }};
}

// The same; an empty string and 0 are stored as NULL.
template <typename Row, auto... Path>
constexpr Column<Row> NullableField(std::string_view name, std::string_view type) {
  Column<Row> column = Field<Row, Path...>(name, type);
  column.add = [](const Row& row, postgres::RowWriter& to) {
    const auto& value = sql::At<Path...>(row);
    sql::IsEmpty(value) ? static_cast<void>(to.AddNull()) : sql::Add(value, to);
  };
  return column;
}

// Bytes; none are stored as NULL.
template <typename Row, auto... Path>
constexpr Column<Row> BytesField(std::string_view name) {
  return {name, "bytea",
          [](const Row& row, postgres::RowWriter& to) {
            const std::string& bytes = sql::At<Path...>(row);
            bytes.empty() ? to.AddNull() : to.AddBytes(bytes);
          },
          [](const postgres::Rows& rows, std::size_t row, std::size_t column, Row& into) {
            sql::At<Path...>(into) = rows.Bytes(row, column);
          }};
}

// A value that is computed from the row, and never read back.
template <typename Row, typename Compute>
constexpr Column<Row> Computed(std::string_view name, std::string_view type, Compute) {
  return {name, type, [](const Row& row, postgres::RowWriter& to) { sql::Add(Compute{}(row), to); },
          nullptr};
}
template <typename Row, typename Compute>
constexpr Column<Row> ComputedBytes(std::string_view name, Compute) {
  return {name, "bytea",
          [](const Row& row, postgres::RowWriter& to) {
            const std::string& bytes = Compute{}(row);
            bytes.empty() ? to.AddNull() : to.AddBytes(bytes);
          },
          nullptr};
}

// Never written: PostgreSQL has a default. Read if a path is given.
template <typename Row, auto... Path>
constexpr Column<Row> DefaultField(std::string_view name, std::string_view type) {
  if constexpr (sizeof...(Path) == 0) {
    return {name, type, nullptr, nullptr};
  } else {
    Column<Row> column = Field<Row, Path...>(name, type);
    column.add = nullptr;
    return column;
  }
}

// "a, b, c": the columns that are written.
template <typename Row>
std::string WrittenColumns(const Table<Row>& table) {
  std::string names;
  for (const Column<Row>& column : table.columns)
    if (column.add != nullptr) names.append(names.empty() ? "" : ", ").append(column.name);
  return names;
}

// Adds the values of the columns that are written, and ends the row.
template <typename Row>
void WriteRow(const Table<Row>& table, const Row& row, postgres::RowWriter& to) {
  for (const Column<Row>& column : table.columns)
    if (column.add != nullptr) column.add(row, to);
  to.EndRow();
}

// "SELECT a, b, c FROM tocsin.table": the columns that ReadRow() reads.
template <typename Row>
std::string SelectFrom(const Table<Row>& table) {
  std::string names;
  for (const Column<Row>& column : table.columns)
    if (column.read != nullptr) names.append(names.empty() ? "" : ", ").append(column.name);
  return "SELECT " + names + " FROM tocsin." + std::string(table.name);
}

// A row of the result of a statement that begins with SelectFrom(table).
template <typename Row>
Row ReadRow(const Table<Row>& table, const postgres::Rows& rows, std::size_t row) {
  Row value;
  std::size_t index = 0;
  for (const Column<Row>& column : table.columns)
    if (column.read != nullptr) column.read(rows, row, index++, value);
  return value;
}

}  // namespace tocsin::audit
