// The plan of an alert and how far it got, as clients see it (pure).
#pragma once

#include <span>
#include <string>

#include "common/domain/alert/alert_projection.h"
#include "tocsin/records/v1/records.pb.h"
#include "tocsin/v1/status_service.pb.h"

namespace tocsin::audit {

// A number of which only the last digits are known. Empty if `last_four` is.
std::string MaskedNumber(const std::string& last_four);

// The channel of a target; that of the alert without a plan.
v1::Channel ChannelOf(const records::v1::Plan& plan, std::int32_t step, v1::Channel of_alert);

// Sets `plan` of the alert, whose state is set. No effect without a plan.
void AddPlan(const records::v1::Plan& plan, std::span<const AlertEvent> events, v1::Alert& alert);

}  // namespace tocsin::audit
