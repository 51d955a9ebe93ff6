// A file with the plan of an alert: YAML, described in docs/cli.md.
#pragma once

#include <string>

#include "common/base/result.h"
#include "tocsin/v1/alert_service.pb.h"

namespace tocsin::cli {

constexpr size_t kMaxPlanBytes = 64 << 10;

// Validates the plan by the rules of the service that need neither the registry nor a clock. `path`
// names the file in errors. `has_text`: the alert has a text for the targets that have none.
// A target without `to` stays so: the service takes the number of the person's nearest earlier
// target. Fails at the first error with kInvalidArgument: Error::field is "FILE:line:column: key",
// both numbers from 1, the column in bytes; Error::message has the reason and the fix. Errors never
// contain a value of the file. Pure; does not throw.
Result<v1::Plan> ParsePlan(const std::string& content, const std::string& path, bool has_text);

}  // namespace tocsin::cli
