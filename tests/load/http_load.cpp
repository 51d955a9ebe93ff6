#include <atomic>
#include <memory>
#include <thread>

#include "tests/load/connection.h"
#include "tests/load/load.h"

namespace tocsin::load {

void AddHttpLoadOptions(CLI::App& command, HttpLoadOptions& options) {
  command.add_option("--account", options.account)
      ->envname("TOCSIN_TWILIO_ACCOUNT_SID")
      ->required();
  command.add_option("--token-file", options.token_file)
      ->envname("TOCSIN_TWILIO_AUTH_TOKEN_FILE")
      ->required();
  command.add_option("--count", options.count)->capture_default_str();
  command.add_option("--connections", options.connections)
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
}

int RunHttpLoad(const HttpLoad& http_load,
                const std::function<std::string(std::uint64_t)>& request_of) {
  std::vector<std::string> requests;
  requests.reserve(http_load.count);
  for (std::uint64_t i = 0; i < http_load.count; ++i) requests.push_back(request_of(i));

  Measure measure(http_load.count);
  const Schedule schedule(http_load.rate);
  std::atomic<std::uint64_t> next{0};
  const auto work = [&] {
    auto connection = std::make_unique<Connection>(http_load.address);
    for (std::uint64_t i = next.fetch_add(1); i < http_load.count; i = next.fetch_add(1)) {
      const auto start = schedule.Await(i);
      const int status = connection->Send(requests[i]);
      if (status == http_load.expected_status) {
        measure.Done(start);
        continue;
      }
      measure.Failed("status " + std::to_string(status));
      connection = std::make_unique<Connection>(http_load.address);
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < http_load.connections; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  return measure.Report();
}

}  // namespace tocsin::load
