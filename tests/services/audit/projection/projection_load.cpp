// Measures how many records per second are projected into PostgreSQL: alerts with their acceptance,
// three events and a callback each, in batches of the consumer's size; and for comparison how fast
// COPY alone writes the same rows. Prints; asserts nothing.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>

#include "services/audit/projection/projection.h"
#include "tests/services/audit/audit_database.h"
#include "tests/services/audit/record_builder.h"

namespace tocsin::audit {
namespace {

constexpr size_t kBatch = 1'000;
constexpr int kRecordsPerAlert = 5;
constexpr std::array<const char*, 5> kTables{"alert_events", "alerts", "attempts", "webhooks",
                                             "wrapped_keys"};

using Seconds = std::chrono::duration<double>;

std::vector<IncomingRecord> RecordsOf(int alerts) {
  RecordBuilder build;
  std::vector<IncomingRecord> records;
  for (int i = 0; i < alerts; ++i) {
    const std::string id = AlertIdOf(i);
    const std::string sid = "SM" + id;
    records.push_back(build.Accepted(id));
    records.push_back(build.Changed(id, v1::ATTEMPT_STATUS_QUEUED, 0));
    records.push_back(build.Changed(id, v1::ATTEMPT_STATUS_SENDING, 1));
    records.push_back(build.Changed(id, v1::ATTEMPT_STATUS_SENT, 2, sid));
    records.push_back(build.Callback(id, sid, "delivered", 3));
  }
  return records;
}

Result<Seconds> ApplyAll(Projection& projection, std::span<const IncomingRecord> records) {
  const auto start = std::chrono::steady_clock::now();
  while (!records.empty()) {
    const auto batch = records.first(std::min(records.size(), kBatch));
    TOCSIN_CHECK_OK(projection.Apply(batch));
    records = records.subspan(batch.size());
  }
  return std::chrono::steady_clock::now() - start;
}

struct Copied {
  size_t rows = 0;
  Seconds took{};
};

// Into new tables, with the same indexes or without.
Result<Copied> CopyAll(const postgres::Options& database, const std::string& like) {
  postgres::Session session(database);
  Copied copied;
  for (const std::string table : kTables) {
    const int columns = std::stoi(QueryValue(database,
                                             "SELECT count(*) FROM information_schema.columns WHERE"
                                             " table_schema = 'tocsin' AND table_name = '" +
                                                 table + "'"));
    const Status done = session.Run([&](postgres::Transaction& transaction) -> Status {
      TOCSIN_TRY(const postgres::Rows rows, transaction.Query("SELECT * FROM tocsin." + table));
      TOCSIN_CHECK_OK(transaction.Query("CREATE TABLE plain (LIKE tocsin." + table + like + ")"));
      const auto add = [&](postgres::CopyRows& to) {
        for (size_t row = 0; row < rows.size(); ++row) {
          for (size_t column = 0; column < static_cast<size_t>(columns); ++column)
            rows.IsNull(row, column) ? to.AddNull() : to.Add(rows.Text(row, column));
          to.EndRow();
        }
      };
      const auto start = std::chrono::steady_clock::now();
      TOCSIN_CHECK_OK(transaction.Copy("plain", add));
      copied.took += std::chrono::steady_clock::now() - start;
      copied.rows += rows.size();
      TOCSIN_CHECK_OK(transaction.Query("DROP TABLE plain"));
      return {};
    });
    TOCSIN_CHECK_OK(done);
  }
  return copied;
}

Status Run(int alerts) {
  postgres::Options database = AuditDatabase();
  database.statement_timeout = std::chrono::minutes(5);
  ClearTables(database);
  const std::vector<IncomingRecord> records = RecordsOf(alerts);
  Projection projection(database, "load", ProjectedTopics(Topics()));
  TOCSIN_CHECK_OK(projection.EnsurePartitions(FromUnixMicros(kCreateTimeUs)));
  TOCSIN_TRY(const Seconds projecting, ApplyAll(projection, records));
  const auto count = static_cast<double>(records.size());
  fmt::print("projected: {} records in {:.2f} s, {:.0f} per second\n", records.size(),
             projecting.count(), count / projecting.count());
  for (const auto& [what, like] :
       {std::pair{"with the same indexes", " INCLUDING ALL"}, std::pair{"without indexes", ""}}) {
    TOCSIN_TRY(const Copied copied, CopyAll(database, like));
    fmt::print("their {} rows by COPY {}: {:.2f} s, {:.0f} rows or {:.0f} records per second\n",
               copied.rows, what, copied.took.count(),
               static_cast<double>(copied.rows) / copied.took.count(), count / copied.took.count());
  }
  return {};
}

}  // namespace
}  // namespace tocsin::audit

int main(int argc, char** argv) {
  const int records = argc > 1 ? std::atoi(argv[1]) : 100'000;
  const auto run = tocsin::audit::Run(records / tocsin::audit::kRecordsPerAlert);
  if (run) return EXIT_SUCCESS;
  fmt::print(stderr, "{}\n", run.error().message);
  return EXIT_FAILURE;
}
