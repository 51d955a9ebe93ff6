// Keeps the consents in memory up to date.
#pragma once

#include <memory>

#include "common/domain/registry/consents.h"
#include "common/kafka/table_reader.h"
#include "common/ports/topics.h"
#include "common/service/runtime.h"
#include "common/telemetry/stop_signal.h"

namespace tocsin::worker {

// Reads the consents topic into `consents`, completely, and follows it: nothing may be sent before
// every opt-out is known. Blocks until it is read. Returns nothing after a stop request. `consents`
// outlives the reader.
Result<std::unique_ptr<kafka::TableReader>> ReadConsents(const kafka::KafkaSettings& settings,
                                                         const Topics& topics,
                                                         service::Runtime& runtime,
                                                         const telemetry::StopSignal& stop,
                                                         ConsentBook& consents);

}  // namespace tocsin::worker
