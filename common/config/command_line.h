// The command line every program of ours understands: --config FILE, --check-config, --help,
// --version, and each setting as a flag: TOCSIN_KAFKA_BOOTSTRAP is --kafka-bootstrap VALUE or
// --kafka-bootstrap=VALUE.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace tocsin::config {

constexpr int kExitDone = 0;
constexpr int kExitWrongUse = 2;

struct Flag {
  std::string name;                  // as written: "--kafka-bootstrap"
  std::optional<std::string> value;  // nothing when the flag stands alone
};

struct CommandLine {
  std::string program;        // the last part of argv[0]
  std::string config_file;    // empty when none was named
  bool check_config = false;  // validate, report, leave
  bool help = false;          // Reader::Conclude() prints `usage` and every setting declared
  std::string usage;
  std::vector<Flag> flags;  // the settings given as flags, in order; Reader refuses the unknown
  std::optional<int> exit_code = {};  // the program has nothing more to do: leave with this
};

// Prints the version on stdout, and what is wrong with the line on stderr; then `exit_code` is set.
CommandLine ParseCommandLine(int argc, const char* const* argv, const std::string& description);

}  // namespace tocsin::config
