#include "common/domain/alert/event_of_alert.h"

#include "common/domain/alert/ids.h"

namespace tocsin {

records::v1::Event EventOfAlert(const std::string& client_id, const std::string& alert_id,
                                WallTime time, std::string_view seed) {
  records::v1::Event event;
  event.mutable_attempt()->set_alert_id(alert_id);
  event.set_event_id(EventId(event.attempt(), seed));
  event.set_client_id(client_id);
  event.set_time_us(ToUnixMicros(time));
  return event;
}

}  // namespace tocsin
