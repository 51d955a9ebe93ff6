#include "services/worker/consent_reader.h"

#include "common/service/health.h"

namespace tocsin::worker {
namespace {

constexpr std::chrono::seconds kWait{1};

}  // namespace

Result<std::unique_ptr<kafka::TableReader>> ReadConsents(const kafka::KafkaSettings& settings,
                                                         const Topics& topics,
                                                         service::Runtime& runtime,
                                                         const telemetry::StopSignal& stop,
                                                         ConsentBook& consents) {
  TOCSIN_TRY(auto reader, kafka::TableReader::Start(
                              settings, {topics.Consents()},
                              [&consents](const IncomingRecord& record) {
                                records::v1::ConsentRecord consent;
                                if (consent.ParseFromString(record.value)) consents.Apply(consent);
                              },
                              runtime.KafkaHooks("consents")));
  const auto caught_up = [&]() -> Status {
    if (reader->WaitCaughtUp(std::chrono::steady_clock::now() + kWait)) return {};
    return Fail(ErrorCode::kKafkaUnavailable, "consents not yet read");
  };
  if (!service::RetryUntil(stop.Token(), caught_up,
                           [&](const Error& error) { runtime.ReportDependencyError(error); }))
    return std::unique_ptr<kafka::TableReader>();
  runtime.readiness().Set("consents", true);
  return reader;
}

}  // namespace tocsin::worker
