// What Twilio lists of calls to one person.
#pragma once

#include "common/ports/taken_list.h"
#include "common/twilio/rest.h"

namespace tocsin::twilio {

// By To, once those that are queued and once those that were begun since the day of `from`: a call
// that was not dialed yet has no start time. Twilio gives a queued call no date either: it counts
// as created at `from`. The filter for the sender and the window is applied here.
class CallList final : public TakenList {
 public:
  explicit CallList(RestSettings settings) : rest_(std::move(settings)) {}

  Result<std::vector<TakenEntry>> ListTaken(const TakenQuery& query, SteadyTime deadline) override;

 private:
  RestClient rest_;
};

}  // namespace tocsin::twilio
