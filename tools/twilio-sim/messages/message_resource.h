// A message as a resource of Twilio's API and as parameters of its webhooks.
#pragma once

#include <string>
#include <string_view>

#include "common/base/encoding.h"
#include "tools/twilio-sim/directory.h"
#include "tools/twilio-sim/messages/messages.h"

namespace tocsin::sim {

constexpr double kPricePerSegment = 0.0083;

// Appends the JSON resource.
void AppendResource(std::string& out, const Message& message, const std::string& sid,
                    const Directory& directory, const Timing& timing, WallTime now);

// The parameters of a status callback with `status`.
FormFields StatusForm(const Message& message, const std::string& sid, const Directory& directory,
                      Status status);

// The parameters of the webhook of an inbound message.
FormFields InboundForm(const Message& message, const std::string& sid, const Directory& directory,
                       const std::string& opt_out_type);

}  // namespace tocsin::sim
