// A message as Twilio's API shows it, and as its webhooks tell of it.
#pragma once

#include <string>
#include <string_view>

#include "common/base/encoding.h"
#include "tools/twilio-sim/directory.h"
#include "tools/twilio-sim/messages.h"

namespace tocsin::sim {

constexpr std::string_view kApiVersion = "2010-04-01";
constexpr std::string_view kPriceUnit = "USD";
constexpr double kPricePerSegment = 0.0083;

// Appends the JSON resource.
void AppendResource(std::string& out, const Message& message, const std::string& sid,
                    const Directory& directory, const Pace& pace, WallTime now);

// The form of a status callback that tells of `status`.
FormFields StatusForm(const Message& message, const std::string& sid, const Directory& directory,
                      Status status);

// The form of an inbound message's webhook.
FormFields InboundForm(const Message& message, const std::string& sid, const Directory& directory,
                       const std::string& opt_out_type);

std::string ErrorJson(int code, std::string_view message, int http_status);

}  // namespace tocsin::sim
