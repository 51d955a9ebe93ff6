// What would follow from a plan if its persons responded in certain ways (pure). The records that
// follow each other are made by the same functions as those that are sent (plan.h, call_retry.h,
// plan_progress.h).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/domain/delivery/call_retry.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

// How a person responds when contacted.
enum class Response {
  kNone,         // a message is delivered, a call is not answered
  kUnreachable,  // Twilio refuses the message or the call
  kAcknowledge,
  kDecline,
};

struct ScenarioEntry {
  Micros time{};               // after the acceptance
  std::int32_t plan_step = 0;  // from 1; 0: the alert as a whole
  std::string person;
  std::string text;
};

// `work`: the record that accepts the alert. `response`: of a person to the contact with this
// number, from 1. A call rings for `ring`. Ends when the goal is reached or missed, or when nothing
// follows; at most 1 000 entries.
std::vector<ScenarioEntry> Simulate(
    const records::v1::WorkRecord& work,
    const std::function<Response(const std::string& person, int contact, v1::Channel channel)>&
        response,
    const CallRetryPolicy& calls, Micros ring);

// The scenarios worth showing, with a title each: nobody responds; nobody can be reached; one
// person acknowledges or declines; all acknowledge.
struct Scenario {
  std::string title;
  std::vector<ScenarioEntry> entries;
};
std::vector<Scenario> ScenariosOf(const records::v1::WorkRecord& work, const CallRetryPolicy& calls,
                                  Micros ring);

}  // namespace tocsin
