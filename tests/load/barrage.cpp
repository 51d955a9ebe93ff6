#include <atomic>
#include <memory>
#include <thread>

#include "tests/load/connection.h"
#include "tests/load/load.h"

namespace tocsin::load {

void AddBarrageOptions(CLI::App& command, BarrageOptions& options) {
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

int AskAll(const Barrage& barrage, const std::function<std::string(std::uint64_t)>& request_of) {
  std::vector<std::string> requests;
  requests.reserve(barrage.count);
  for (std::uint64_t i = 0; i < barrage.count; ++i) requests.push_back(request_of(i));

  Measure measure(barrage.count);
  const Schedule schedule(barrage.rate);
  std::atomic<std::uint64_t> next{0};
  const auto serve = [&] {
    auto connection = std::make_unique<Connection>(barrage.address);
    for (std::uint64_t i = next.fetch_add(1); i < barrage.count; i = next.fetch_add(1)) {
      const auto begin = schedule.Await(i);
      const int status = connection->Ask(requests[i]);
      if (status == barrage.expected_status) {
        measure.Done(begin);
        continue;
      }
      measure.Failed("status " + std::to_string(status));
      connection = std::make_unique<Connection>(barrage.address);
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < barrage.connections; ++i) threads.emplace_back(serve);
  for (std::thread& thread : threads) thread.join();
  return measure.Tell();
}

}  // namespace tocsin::load
