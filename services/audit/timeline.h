// An alert's facts in plain words, for people. Pure; free of PII.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/domain/folding.h"
#include "tocsin/v1/status_service.pb.h"

namespace tocsin::audit {

// What a try's end means: Twilio's code in words, else the reason in words; empty when there is
// neither.
std::string Explain(std::int32_t provider_code, const std::string& reason);

// In order of time. `accepted`: when the alert was accepted, if that is known.
std::vector<v1::TimelineEntry> Timeline(std::optional<WallTime> accepted,
                                        std::span<const Fact> facts);

void SetTime(WallTime time, google::protobuf::Timestamp& into);

}  // namespace tocsin::audit
