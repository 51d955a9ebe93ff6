// An alert's events in words, for people. Pure; free of PII.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "common/base/time.h"
#include "common/domain/alert/alert_projection.h"
#include "tocsin/v1/status_service.pb.h"

namespace tocsin::audit {

// The timeline of an alert on `channel` that was accepted at `create_time` (nothing: not known).
// The steps of a plan have channels of their own.
// - One entry per fact: an event and a callback that report the same status of an attempt are one
//   entry.
// - A submission that never happened has no entry.
// - Times never decrease. Within an attempt entries are in causal order: if times contradict it,
//   such as the whole seconds of Twilio's lists, the entry gets the time of its cause.
std::vector<v1::TimelineEntry> MakeTimeline(v1::Channel channel,
                                            std::optional<WallTime> create_time,
                                            std::span<const AlertEvent> events,
                                            const records::v1::Plan& plan = {});

void SetTime(WallTime time, google::protobuf::Timestamp& into);

}  // namespace tocsin::audit
