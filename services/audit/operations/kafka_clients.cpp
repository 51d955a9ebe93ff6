#include "services/audit/operations/kafka_clients.h"

#include <utility>

#include "common/ports/topics.h"
#include "common/service/health.h"

namespace tocsin::audit {
namespace {

constexpr std::chrono::milliseconds kTopicsTimeout{10'000};
constexpr std::chrono::milliseconds kCheckTimeout{2'000};

// Few records, each awaited by an operator.
constexpr kafka::ProducerProfile kAdminProfile{.delivery_timeout = std::chrono::milliseconds(4'000),
                                               .max_records = 1'000,
                                               .max_kbytes = 4'096};

}  // namespace

Result<std::unique_ptr<KafkaClients>> KafkaClients::Connect(const kafka::KafkaSettings& settings,
                                                            service::Runtime& runtime,
                                                            const telemetry::StopSignal& stop) {
  TOCSIN_TRY(kafka::Admin admin, kafka::Admin::Create(settings, runtime.KafkaHooks("admin")));
  TOCSIN_TRY(std::unique_ptr<kafka::Producer> producer,
             kafka::Producer::Create(settings, kAdminProfile, runtime.ProducerHooks("producer")));
  std::unique_ptr<KafkaClients> clients(new KafkaClients(std::move(admin), std::move(producer)));
  runtime.readiness().Declare("kafka");
  const bool connected = service::RetryUntil(
      stop.Token(),
      [&]() -> Status {
        const Topics topics(settings.prefix);
        TOCSIN_CHECK_OK(clients->admin_.EnsureTopics(topics.All(), kTopicsTimeout));
        TOCSIN_CHECK_OK(clients->producer_->FetchMetadata(topics.WrittenByAudit(), kTopicsTimeout));
        TOCSIN_TRY(clients->cluster_id_, clients->admin_.ClusterId(kCheckTimeout));
        return {};
      },
      [&](const Error& error) {
        runtime.readiness().Set("kafka", false, error.message);
        runtime.ReportDependencyError(error);
      });
  if (!connected) clients = nullptr;
  return clients;
}

Status KafkaClients::Check() {
  TOCSIN_CHECK_OK(admin_.ClusterId(kCheckTimeout));
  return {};
}

}  // namespace tocsin::audit
