// The command line of every service: --config FILE, --check-config, --print-settings FORMAT,
// --help,
// --version, and one flag per setting: TOCSIN_KAFKA_BOOTSTRAP is --kafka-bootstrap VALUE or
// --kafka-bootstrap=VALUE.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/config/settings_printer.h"

namespace tocsin::config {

constexpr int kExitSuccess = 0;
constexpr int kExitUsage = 2;

struct Flag {
  std::string name;                  // as written: "--kafka-bootstrap"
  std::optional<std::string> value;  // nothing for a flag without a value
};

struct CommandLine {
  std::string program;        // the last component of argv[0]
  std::string config_file;    // empty if none
  bool check_config = false;  // validate the configuration and exit
  bool help = false;          // print `usage` and all settings, and exit
  std::optional<SettingsFormat> print_settings = {};
  std::string usage = {};
  std::vector<Flag> flags = {};       // settings in order; Reader refuses unknown ones
  std::optional<int> exit_code = {};  // the program must exit with this code
};

// Sets `exit_code` after printing the version on stdout or a usage error on stderr.
CommandLine ParseCommandLine(int argc, const char* const* argv, const std::string& description);

}  // namespace tocsin::config
