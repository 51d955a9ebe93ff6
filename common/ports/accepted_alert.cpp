#include "common/ports/accepted_alert.h"

namespace tocsin {

AcceptedAlert AcceptedAlertOf(const records::v1::WorkRecord& work,
                              const records::v1::Position& position) {
  return {.alert_id = work.attempt().alert_id(),
          .client_id = work.client_id(),
          .idempotency_digest = work.acceptance().idempotency_digest(),
          .request_digest = work.acceptance().request_digest(),
          .create_time = FromUnixMicros(work.create_time_us()),
          .expire_time = FromUnixMicros(work.expire_time_us()),
          .position = position};
}

std::optional<AcceptedAlert> AcceptedAlertOf(const IncomingRecord& record) {
  records::v1::WorkRecord work;
  if (!record.Header(kHeaderAccepts) || !work.ParseFromString(record.value)) return std::nullopt;
  return AcceptedAlertOf(work, record.position);
}

}  // namespace tocsin
