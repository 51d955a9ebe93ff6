#include "services/audit/projection/tables.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/services/audit/audit_database.h"

namespace tocsin::audit {
namespace {

template <typename Row>
std::set<std::string> ColumnsOf(const Table<Row>& table) {
  std::set<std::string> columns;
  for (const Column<Row>& column : table.columns)
    columns.insert(std::string(column.name) + ' ' + std::string(column.type));
  return columns;
}

template <typename Row>
std::string KeyOf(const Table<Row>& table) {
  std::string names;
  for (const Column<Row>& column : table.columns.first(table.key_columns))
    names += (names.empty() ? "" : ",") + std::string(column.name);
  return names;
}

std::set<std::string> DeployedColumnsOf(std::string_view table) {
  postgres::Session session(AuditDatabase());
  std::set<std::string> columns;
  const Status read = session.Run([&](postgres::Transaction& transaction) -> Status {
    TOCSIN_TRY(const postgres::Rows rows,
               transaction.Query("SELECT attname || ' ' || format_type(atttypid, atttypmod)"
                                 " FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0"
                                 " AND NOT attisdropped",
                                 {"tocsin." + std::string(table)}));
    for (size_t i = 0; i < rows.size(); ++i) columns.emplace(rows.Text(i, 0));
    return {};
  });
  EXPECT_TRUE(read);
  return columns;
}

std::string DeployedKeyOf(std::string_view table) {
  return QueryValue(AuditDatabase(),
                    "SELECT string_agg(a.attname, ',' ORDER BY k.position) FROM pg_index i,"
                    " unnest(i.indkey) WITH ORDINALITY AS k (attnum, position)"
                    " JOIN pg_attribute a USING (attnum) WHERE i.indisprimary"
                    " AND a.attrelid = i.indrelid AND i.indrelid = 'tocsin." +
                        std::string(table) + "'::regclass");
}

template <typename Row>
void ExpectDeployed(const Table<Row>& table) {
  EXPECT_EQ(ColumnsOf(table), DeployedColumnsOf(table.name)) << table.name;
  EXPECT_EQ(KeyOf(table), DeployedKeyOf(table.name)) << table.name;
}

TEST(TablesTest, HaveTheColumnsAndKeysOfTheMigrations) {
  ExpectDeployed(kAlerts);
  ExpectDeployed(kAttempts);
  ExpectDeployed(kAlertEvents);
  ExpectDeployed(kWebhooks);
  ExpectDeployed(kUnmatchedCallbacks);
  ExpectDeployed(kWrappedKeys);
  ExpectDeployed(kUnparsed);
  ExpectDeployed(kDeadLetters);
}

}  // namespace
}  // namespace tocsin::audit
