#include "common/ports/outgoing_record.h"

namespace tocsin {

OutgoingRecord MakeRecord(std::string topic, std::string key,
                          const google::protobuf::Message& message, std::string_view traceparent) {
  OutgoingRecord record{.topic = std::move(topic),
                        .key = std::move(key),
                        .value = message.SerializeAsString(),
                        .headers = {}};
  record.headers.emplace_back(kHeaderSchema, message.GetDescriptor()->full_name());
  if (!traceparent.empty()) record.headers.emplace_back(kHeaderTraceparent, traceparent);
  return record;
}

OutgoingRecord MakeAcceptanceRecord(std::string topic, const records::v1::WorkRecord& work,
                                    std::string_view traceparent) {
  OutgoingRecord record =
      MakeRecord(std::move(topic), work.attempt().alert_id(), work, traceparent);
  record.headers.emplace_back(kHeaderAccepts, work.client_id());
  return record;
}

}  // namespace tocsin
