// The plan of an alert as its row contains it: without what is encrypted.
#pragma once

#include <string>

#include "tocsin/records/v1/records.pb.h"

namespace tocsin::audit {

// The plan of the work record that accepted an alert, as JSON. Empty without a plan.
std::string PlanJson(const records::v1::WorkRecord& work);

// The plan in a row; empty if `json` is.
records::v1::Plan ParsePlan(const std::string& json);

}  // namespace tocsin::audit
