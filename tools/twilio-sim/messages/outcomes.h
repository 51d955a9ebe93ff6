// The outcome of a message by its To number: scripted by the control API, else by a magic number,
// else delivered.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "tools/twilio-sim/messages/message_status.h"

namespace tocsin::sim {

// +1 500 555 3XYZ: undelivered with code 30XYZ.
// +1 500 555 4XYZ: failed with code 30XYZ.
// +1 500 555 5XYZ: sent, without a delivery report.
// +1 500 555 7XYZ: the first message undelivered with 30XYZ, all later ones delivered.
class Outcomes {
 public:
  // The outcomes of the next messages to that number, in order. The last one applies to all later
  // messages.
  void SetScript(const std::string& to, std::vector<Outcome> outcomes);
  void Clear();

  // The outcome of the next message to the number. Call once per message.
  Outcome Next(const std::string& to);

 private:
  struct Sequence {
    std::vector<Outcome> outcomes;
    size_t next = 0;
  };
  std::unordered_map<std::string, Sequence> scripts_;
  std::unordered_map<std::string, std::uint64_t>
      recovering_;  // messages to 7XYZ numbers; at most 1 000 entries
};

}  // namespace tocsin::sim
