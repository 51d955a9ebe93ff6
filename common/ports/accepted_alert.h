// What a record that accepts an alert says about it.
#pragma once

#include <optional>
#include <string>

#include "common/base/time.h"
#include "common/ports/record_log.h"

namespace tocsin {

struct AcceptedAlert {
  std::string alert_id;
  std::string client_id;
  std::string idempotency_digest;  // as in AdmitRequest; empty without a key
  std::string request_digest;
  WallTime create_time;
  WallTime expire_time;
  records::v1::Position position;  // of the record
};

AcceptedAlert AcceptedAlertOf(const records::v1::WorkRecord& work,
                              const records::v1::Position& position);

// Nothing if the record accepts no alert, or cannot be parsed.
std::optional<AcceptedAlert> AcceptedAlertOf(const IncomingRecord& record);

}  // namespace tocsin
