#include <memory>
#include <semaphore>

#include "common/kafka/adaptive_producer.h"
#include "common/kafka/admin.h"
#include "tests/load/load.h"

namespace tocsin::load {
namespace {

constexpr std::ptrdiff_t kPipelined = 16'000;  // below the limit of the producer
constexpr size_t kValueBytes = 300;
constexpr std::chrono::milliseconds kTimeout{30'000};
constexpr const char* kPrefix = "load";

struct Options {
  std::string bootstrap;
  std::uint64_t count = 200'000;
  int in_flight = 64;
  bool pipelined = false;
};

// The limit of the rows above it: the same producer and broker, records that nobody reads.
Result<int> Drive(const Options& options) {
  kafka::KafkaSettings settings;
  settings.bootstrap_servers = options.bootstrap;
  settings.prefix = kPrefix;
  const std::string topic = Topics(kPrefix).Lane(v1::CHANNEL_SMS, v1::PRIORITY_NORMAL);
  TOCSIN_TRY(kafka::Admin admin, kafka::Admin::Create(settings));
  TOCSIN_CHECK_OK(admin.EnsureTopics(
      {{topic, kLanePartitions, false, std::chrono::hours(1), false}}, kTimeout));
  TOCSIN_TRY(const auto producer,
             kafka::AdaptiveProducer::Create(settings, kafka::kIngressProfile,
                                             [](const std::string&) { return kafka::Hooks{}; }));
  TOCSIN_CHECK_OK(producer->FetchMetadata({topic}, kTimeout));

  Measure measure(options.count);
  std::counting_semaphore<kPipelined> open(options.pipelined ? kPipelined : options.in_flight);
  for (std::uint64_t i = 0; i < options.count; ++i) {
    open.acquire();
    const auto start = Steady::now();
    producer->Publish({topic, std::to_string(i), std::string(kValueBytes, 'x'), {}},
                      [&measure, &open, start](const PublishReport& report) {
                        if (report.outcome == PublishOutcome::kPersisted)
                          measure.Done(start);
                        else
                          measure.Failed(report.error);
                        open.release();
                      });
  }
  TOCSIN_CHECK_OK(producer->Flush(kTimeout));
  return measure.Report();
}

}  // namespace

void AddKafka(CLI::App& app, Run& run) {
  const auto options = std::make_shared<Options>();
  CLI::App& command = *app.add_subcommand("kafka", "bare records with delivery reports");
  command.add_option("--bootstrap", options->bootstrap)
      ->envname("TOCSIN_KAFKA_BOOTSTRAP")
      ->required();
  command.add_option("--count", options->count)->capture_default_str();
  auto* in_flight = command.add_option("--in-flight", options->in_flight)
                        ->check(CLI::Range(1, 10'000))
                        ->capture_default_str();
  command.add_flag("--pipelined", options->pipelined, "as many in flight as the producer allows")
      ->excludes(in_flight);
  command.callback([options, &run] { run = [options] { return Drive(*options); }; });
}

}  // namespace tocsin::load
