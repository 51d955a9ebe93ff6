// The simulator's command line.
#pragma once

#include <optional>
#include <string>

#include "tools/twilio-sim/state.h"

namespace tocsin::sim {

struct Options {
  Settings settings = {};
  std::string listen = "127.0.0.1:0";
  int threads = 2;
  bool check_config = false;
};

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

// Nothing if there is nothing to run: it has printed help, the version or an error, and has set
// `exit_code`.
std::optional<Options> ParseOptions(int argc, const char* const* argv, int& exit_code);

}  // namespace tocsin::sim
