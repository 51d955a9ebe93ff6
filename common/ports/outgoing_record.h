// Records on their way to Kafka, and the one place where their headers are written.
#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

// Names of record headers.
constexpr std::string_view kHeaderSchema = "schema";            // full name of the message
constexpr std::string_view kHeaderTraceparent = "traceparent";  // W3C Trace Context
constexpr std::string_view kHeaderAccepts = "accepts";  // client_id; only if it accepts an alert
// "1" on the events of a result that the claim store could not save.
constexpr std::string_view kHeaderUnpersisted = "unpersisted";

using RecordHeaders = std::vector<std::pair<std::string, std::string>>;

struct OutgoingRecord {
  std::string topic;
  std::string key;
  std::string value;
  RecordHeaders headers;
};

// A record with `message` as its value. `traceparent` is that of the request or record that caused
// it; without one (empty) the header is left out.
OutgoingRecord MakeRecord(std::string topic, std::string key,
                          const google::protobuf::Message& message, std::string_view traceparent);

// The record that accepts an alert: its first work record, under the alert's id.
OutgoingRecord MakeAcceptanceRecord(std::string topic, const records::v1::WorkRecord& work,
                                    std::string_view traceparent);

}  // namespace tocsin
