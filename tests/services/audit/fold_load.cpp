// Shows how many records a second are folded into PostgreSQL: alerts with their acceptance, three
// events and a callback each, in batches as Kafka's consumer makes them. Prints; asserts nothing.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "services/audit/fold_store.h"
#include "tests/services/audit/audit_database.h"
#include "tests/services/audit/log_of.h"

int main(int argc, char** argv) {
  using namespace tocsin;
  using namespace tocsin::audit;
  constexpr size_t kBatch = 2'000;
  constexpr int kRecordsOfAnAlert = 5;
  const int alerts = (argc > 1 ? std::atoi(argv[1]) : 100'000) / kRecordsOfAnAlert;
  const postgres::Options database = AuditDatabase();
  Clear(database);
  LogOf log;
  std::vector<IncomingRecord> records;
  for (int i = 0; i < alerts; ++i) {
    const std::string id = AlertIdOf(i);
    const std::string sid = "SM" + id;
    records.push_back(log.Accepted(id));
    records.push_back(log.Changed(id, v1::TRY_STATUS_QUEUED, 0));
    records.push_back(log.Changed(id, v1::TRY_STATUS_SENDING, 1));
    records.push_back(log.Changed(id, v1::TRY_STATUS_SENT, 2, sid));
    records.push_back(log.Callback(id, sid, "delivered", 3));
  }
  FoldStore store(database, "load", FoldedTopics(log.topics));
  if (const Status made = store.EnsureMonths(FromUnixMicros(kAcceptedUs)); !made) {
    fmt::print(stderr, "{}\n", made.error().message);
    return EXIT_FAILURE;
  }
  const auto began = std::chrono::steady_clock::now();
  for (std::span<const IncomingRecord> left(records); !left.empty();) {
    const auto batch = left.first(std::min(left.size(), kBatch));
    if (const Status folded = store.Fold(batch); !folded) {
      fmt::print(stderr, "{}\n", folded.error().message);
      return EXIT_FAILURE;
    }
    left = left.subspan(batch.size());
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  fmt::print("{} records in {:.2f} s: {:.0f} a second\n", records.size(), took.count(),
             static_cast<double>(records.size()) / took.count());
  return EXIT_SUCCESS;
}
