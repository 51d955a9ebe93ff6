// The text of one timeline entry. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/domain/alert/alert_projection.h"

namespace tocsin::audit {

// The parts of a description: "Failed: line is unreachable (Twilio 30003); attempt 2 follows".
struct EventText {
  std::string phrase;  // "Failed"; the same for events that report the same fact
  std::string detail;  // " after 17 s"
  std::string cause;   // "line is unreachable"
  std::int32_t provider_code = 0;
  std::vector<std::string> notes;
  std::int32_t next_attempt = 0;  // 0: none

  // Adds what `other`, a report of the same fact, states in addition.
  void Merge(EventText other);

  std::string Description() const;
};

EventText MakeEventText(const AlertEvent& event, v1::Channel channel);

}  // namespace tocsin::audit
