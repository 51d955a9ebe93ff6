// The records to publish after an attempt. They inherit key and trace from the record that caused
// them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/domain/delivery/follow_up.h"
#include "common/ports/record_log.h"
#include "common/ports/topics.h"

namespace tocsin {

struct RecordOrigin {
  std::string key;          // the alert_id
  std::string traceparent;  // empty: without a trace
};

RecordOrigin OriginOf(const IncomingRecord& record);

// A record with the origin's key and trace.
OutgoingRecord MakeRecord(std::string topic, const google::protobuf::Message& message,
                          const RecordOrigin& origin);

// `work` on the topic where it waits or is processed.
OutgoingRecord MakeWorkRecord(const Topics& topics, const records::v1::WorkRecord& work,
                              const RecordOrigin& origin, WallTime now);

// Everything that `follow_up` demands. `work`: where the attempt's work record is, if known.
std::vector<OutgoingRecord> MakeFollowUpRecords(const Topics& topics, const FollowUp& follow_up,
                                                v1::Channel channel,
                                                const std::optional<records::v1::Position>& work,
                                                const RecordOrigin& origin, WallTime now);

}  // namespace tocsin
