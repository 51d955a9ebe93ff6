#include "common/delivery/outgoing.h"

#include <utility>

#include "common/domain/consents.h"
#include "common/domain/waiting.h"

namespace tocsin {

OutgoingRecord RecordMaker::Of(std::string topic, const google::protobuf::Message& message) const {
  OutgoingRecord out{std::move(topic), from_.key, message.SerializeAsString(), {}};
  out.headers.emplace_back(kHeaderSchema, message.GetDescriptor()->full_name());
  if (auto traceparent = from_.Header(kHeaderTraceparent))
    out.headers.emplace_back(kHeaderTraceparent, *std::move(traceparent));
  return out;
}

OutgoingRecord RecordMaker::Of(const v1::WorkRecord& work, WallTime now) const {
  return Of(NextStop(topics_, work, now), work);
}

std::vector<OutgoingRecord> RecordMaker::Of(const Settlement& settlement, v1::Channel channel,
                                            const v1::Position& work, WallTime now) const {
  std::vector<OutgoingRecord> records;
  for (const v1::Event& event : settlement.events) records.push_back(Of(topics_.Events(), event));
  if (settlement.follow_up) records.push_back(Of(*settlement.follow_up, now));
  if (settlement.dead) {
    v1::DeadRecord dead = *settlement.dead;
    *dead.mutable_position() = work;
    records.push_back(Of(topics_.Dead(channel), dead));
  }
  if (settlement.consent) {
    OutgoingRecord consent = Of(topics_.Consents(), *settlement.consent);
    consent.key = ConsentKey(settlement.consent->recipient().token(), settlement.consent->sender());
    records.push_back(std::move(consent));
  }
  return records;
}

}  // namespace tocsin
