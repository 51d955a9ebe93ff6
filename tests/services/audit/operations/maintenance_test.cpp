#include "services/audit/operations/maintenance.h"

#include <gtest/gtest.h>

#include <future>
#include <mutex>

#include "tests/services/audit/audit_database.h"

namespace tocsin::audit {
namespace {

std::string MonthsOf(const std::string& table) {
  return QueryValue(AuditDatabase(),
                    "SELECT string_agg(right(relname, 7), ' ' ORDER BY relname) FROM pg_class WHERE"
                    " relkind = 'r' AND relname ~ '^" +
                        table + "_[0-9]{4}_[0-9]{2}$'");
}

// The months that must have partitions now, as in their names.
std::string ExpectedMonths() {
  return QueryValue(
      AuditDatabase(),
      "SELECT string_agg(to_char(now() AT TIME ZONE 'UTC' + make_interval(months => n),"
      " 'YYYY_MM'), ' ' ORDER BY n) FROM generate_series(-1, 2) AS n");
}

// O6
TEST(MaintenanceTest, CreatesPartitionsAndCountsBeforeAnyRecord) {
  std::promise<AlertCounts> counted;
  std::once_flag once;
  const Maintenance maintenance(
      std::make_unique<Projection>(AuditDatabase(), "cluster", ProjectedTopics(Topics())),
      AuditDatabase(),
      [&](const AlertCounts& counts) { std::call_once(once, [&] { counted.set_value(counts); }); },
      [](const Error& error) { ADD_FAILURE() << error.message; });
  const AlertCounts counts = counted.get_future().get();  // the partitions are created before
  EXPECT_EQ(counts.overdue, 0);
  EXPECT_EQ(counts.in_doubt.value().attempts, 0);
  EXPECT_EQ(counts.states.value().mismatches, 0);
  for (const std::string table : {"alerts", "attempts", "alert_events", "webhooks"})
    EXPECT_EQ(MonthsOf(table), ExpectedMonths()) << table;
}

// O2
TEST(MaintenanceTest, ReportsThatPostgresIsUnavailable) {
  std::promise<Error> reported;
  std::once_flag once;
  const Maintenance maintenance(
      std::make_unique<Projection>(UnreachableDatabase(), "cluster", ProjectedTopics(Topics())),
      UnreachableDatabase(),
      [](const AlertCounts& counts) {
        EXPECT_FALSE(counts.overdue || counts.dead_letters || counts.in_doubt || counts.states);
      },
      [&](const Error& error) { std::call_once(once, [&] { reported.set_value(error); }); });
  EXPECT_EQ(reported.get_future().get().code, ErrorCode::kPostgresUnavailable);
}

}  // namespace
}  // namespace tocsin::audit
