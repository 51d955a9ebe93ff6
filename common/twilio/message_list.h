// What Twilio lists of messages to one person.
#pragma once

#include "common/ports/taken_list.h"
#include "common/twilio/rest.h"

namespace tocsin::twilio {

// By To and not by DateSent, which is null until a message is sent. The filter for the sender and
// the window is applied here.
class MessageList final : public TakenList {
 public:
  explicit MessageList(RestSettings settings) : rest_(std::move(settings)) {}

  Result<std::vector<TakenEntry>> ListTaken(const TakenQuery& query, SteadyTime deadline) override;

 private:
  RestClient rest_;
};

}  // namespace tocsin::twilio
