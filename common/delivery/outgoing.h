// Records that follow from another record: under its alert's key, with its trace.
#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/domain/settlement.h"
#include "common/domain/topics.h"
#include "common/ports/record_log.h"

namespace tocsin {

class RecordMaker {
 public:
  // Both outlive it. The key is that of `from`.
  RecordMaker(const Topics& topics, const IncomingRecord& from) : topics_(topics), from_(from) {}

  OutgoingRecord Of(std::string topic, const google::protobuf::Message& message) const;

  // A work record on its way to where it waits or runs.
  OutgoingRecord Of(const v1::WorkRecord& work, WallTime now) const;

  // Everything an outcome demands; `work` is where the work of the try stands.
  std::vector<OutgoingRecord> Of(const Settlement& settlement, v1::Channel channel,
                                 const v1::Position& work, WallTime now) const;

 private:
  const Topics& topics_;
  const IncomingRecord& from_;
};

}  // namespace tocsin
