#include "common/delivery/follow_up_records.h"

#include <utility>

#include "common/domain/registry/consents.h"
#include "common/ports/delay_tiers.h"

namespace tocsin {

RecordOrigin OriginOf(const IncomingRecord& record) {
  return {.key = record.key, .traceparent = record.Header(kHeaderTraceparent).value_or("")};
}

OutgoingRecord MakeRecord(std::string topic, const google::protobuf::Message& message,
                          const RecordOrigin& origin) {
  return MakeRecord(std::move(topic), origin.key, message, origin.traceparent);
}

OutgoingRecord MakeWorkRecord(const Topics& topics, const records::v1::WorkRecord& work,
                              const RecordOrigin& origin, WallTime now) {
  return MakeRecord(NextTopic(topics, work, now), work, origin);
}

std::vector<OutgoingRecord> MakeFollowUpRecords(const Topics& topics, const FollowUp& follow_up,
                                                v1::Channel channel,
                                                const std::optional<records::v1::Position>& work,
                                                const RecordOrigin& origin, WallTime now) {
  std::vector<OutgoingRecord> records;
  for (const records::v1::Event& event : follow_up.events)
    records.push_back(MakeRecord(topics.Events(), event, origin));
  if (follow_up.next_work)
    records.push_back(MakeWorkRecord(topics, *follow_up.next_work, origin, now));
  for (const records::v1::WorkRecord& next : follow_up.plan_work)
    records.push_back(MakeWorkRecord(topics, next, origin, now));
  if (follow_up.dead) {
    records::v1::DeadLetterRecord dead = *follow_up.dead;
    if (work) *dead.mutable_position() = *work;
    records.push_back(MakeRecord(topics.Dead(channel), dead, origin));
  }
  if (follow_up.consent) {
    const records::v1::ConsentRecord& consent = *follow_up.consent;
    records.push_back(MakeRecord(topics.Consents(),
                                 ConsentKey(consent.recipient().token(), consent.sender_address()),
                                 consent, origin.traceparent));
  }
  return records;
}

}  // namespace tocsin
