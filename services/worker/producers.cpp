#include "services/worker/producers.h"

namespace tocsin::worker {

Result<Producers> Producers::Create(const kafka::KafkaSettings& settings,
                                    service::Runtime& runtime) {
  Producers producers;
  TOCSIN_TRY(producers.immediate, kafka::Producer::Create(settings, kafka::kWorkerProfile,
                                                          runtime.ProducerHooks("producer")));
  TOCSIN_TRY(producers.batching,
             kafka::Producer::Create(settings, kafka::kWorkerBatchingProfile,
                                     runtime.ProducerHooks("batching_producer")));
  return producers;
}

Status Producers::FetchMetadata(const std::vector<std::string>& topics,
                                std::chrono::milliseconds timeout) const {
  TOCSIN_CHECK_OK(immediate->FetchMetadata(topics, timeout));
  return batching->FetchMetadata(topics, timeout);
}

Status Producers::Flush(std::chrono::milliseconds timeout) const {
  TOCSIN_CHECK_OK(immediate->Flush(timeout));
  return batching->Flush(timeout);
}

}  // namespace tocsin::worker
