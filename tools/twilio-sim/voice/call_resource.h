// A call as a resource of Twilio's API and as parameters of its webhooks.
#pragma once

#include <string>

#include "common/base/encoding.h"
#include "tools/twilio-sim/directory.h"
#include "tools/twilio-sim/messages/messages.h"
#include "tools/twilio-sim/voice/call.h"

namespace tocsin::sim {

constexpr double kPricePerMinute = 0.014;

// Appends the JSON resource.
void AppendCallResource(std::string& out, const Call& call, const std::string& sid,
                        const Directory& directory, const Timing& timing, WallTime now);

// The parameters of every request about a call, with `status`.
FormFields CallForm(const Call& call, const std::string& sid, const Directory& directory,
                    CallStatus status);

// The parameters of a status callback. `at`: time of the event.
FormFields CallEventForm(const Call& call, const std::string& sid, const Directory& directory,
                         CallEvent event, WallTime at);

}  // namespace tocsin::sim
