#include "services/audit/upkeep.h"

#include <gtest/gtest.h>

#include <future>
#include <mutex>

#include "tests/services/audit/audit_database.h"

namespace tocsin::audit {
namespace {

std::string MonthsOf(const std::string& table) {
  return Ask(AuditDatabase(),
             "SELECT string_agg(right(relname, 7), ' ' ORDER BY relname) FROM pg_class WHERE"
             " relkind = 'r' AND relname ~ '^" +
                 table + "_[0-9]{4}_[0-9]{2}$'");
}

// The months that must stand ready now, as their partitions are named.
std::string Wanted() {
  return Ask(AuditDatabase(),
             "SELECT string_agg(to_char(now() AT TIME ZONE 'UTC' + make_interval(months => n),"
             " 'YYYY_MM'), ' ' ORDER BY n) FROM generate_series(-1, 2) AS n");
}

// O6
TEST(Upkeep, MakesTheMonthsAheadOfTimeAndCountsBeforeAnyRecordCame) {
  std::promise<LedgerCount> counted;
  std::once_flag once;
  const Upkeep upkeep(
      std::make_unique<FoldStore>(AuditDatabase(), "cluster", FoldedTopics(Topics())),
      AuditDatabase(),
      [&](const LedgerCount& count) { std::call_once(once, [&] { counted.set_value(count); }); },
      [](const Error& error) { ADD_FAILURE() << error.message; });
  const LedgerCount count = counted.get_future().get();  // the months are made before it
  EXPECT_EQ(count.difference + count.overdue + count.in_doubt, 0);
  for (const std::string table : {"alerts", "tries", "facts", "webhooks"})
    EXPECT_EQ(MonthsOf(table), Wanted()) << table;
}

// O2
TEST(Upkeep, SaysThatPostgresIsDownAndGoesOn) {
  const postgres::Options nowhere{.url = Secret("postgresql://nobody@127.0.0.1:1/none"),
                                  .application = "audit_test"};
  std::promise<Error> told;
  std::once_flag once;
  const Upkeep upkeep(
      std::make_unique<FoldStore>(nowhere, "cluster", FoldedTopics(Topics())), nowhere,
      [](const LedgerCount&) { ADD_FAILURE() << "nothing can be counted"; },
      [&](const Error& error) { std::call_once(once, [&] { told.set_value(error); }); });
  EXPECT_EQ(told.get_future().get().code, ErrorCode::kPostgresUnavailable);
}

}  // namespace
}  // namespace tocsin::audit
