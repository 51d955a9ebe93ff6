// The builder of events that concern an alert as a whole, not one attempt.
#pragma once

#include <string>
#include <string_view>

#include "common/base/time.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

// An event without content and priority. `seed`: see EventId(). Equal arguments give equal events,
// so that a repetition publishes the same event.
records::v1::Event EventOfAlert(const std::string& client_id, const std::string& alert_id,
                                WallTime time, std::string_view seed);

}  // namespace tocsin
