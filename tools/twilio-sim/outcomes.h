// Which end a message takes, by its To number: the script of the control API, then the numbers
// that mean an outcome, then delivered.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "tools/twilio-sim/status.h"

namespace tocsin::sim {

// +1 500 555 3XYZ: undelivered with code 30XYZ.
// +1 500 555 4XYZ: failed with code 30XYZ.
// +1 500 555 5XYZ: sent, and nothing more is heard.
// +1 500 555 7XYZ: the first message undelivered with 30XYZ, all later ones delivered.
class Outcomes {
 public:
  // The messages to that number take these in turn; the last one goes for all that follow.
  void Script(const std::string& to, std::vector<Outcome> outcomes);
  void Clear();

  // The outcome of the next message to the number: each call is one message.
  Outcome Next(const std::string& to);

 private:
  struct Line {
    std::vector<Outcome> outcomes;
    size_t next = 0;
  };
  std::unordered_map<std::string, Line> scripts_;
  std::unordered_map<std::string, std::uint64_t> recovering_;  // 7XYZ numbers met: 1 000 at most
};

}  // namespace tocsin::sim
