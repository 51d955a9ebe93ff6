// A call as Twilio's API shows it, and as its webhooks tell of it.
#pragma once

#include <string>

#include "common/base/encoding.h"
#include "tools/twilio-sim/directory.h"
#include "tools/twilio-sim/messages.h"
#include "tools/twilio-sim/voice/call.h"

namespace tocsin::sim {

constexpr double kPricePerMinute = 0.014;

// Appends the JSON resource.
void AppendCallResource(std::string& out, const Call& call, const std::string& sid,
                        const Directory& directory, const Pace& pace, WallTime now);

// What every request about a call carries; it tells of `status`.
FormFields CallForm(const Call& call, const std::string& sid, const Directory& directory,
                    CallStatus status);

// The form of a status callback. `at` is when the event happened.
FormFields CallEventForm(const Call& call, const std::string& sid, const Directory& directory,
                         CallEvent event, WallTime at);

}  // namespace tocsin::sim
