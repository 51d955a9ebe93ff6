#include "common/config/command_line.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <string_view>
#include <utility>

namespace tocsin::config {
namespace {

std::string LastPart(std::string_view path) {
  const size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

// Words that CLI11 does not know, paired into flags. A word that is no flag stays one without a
// value.
std::vector<Flag> Paired(const std::vector<std::string>& words) {
  std::vector<Flag> flags;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const size_t equals = word.find('=');
    if (word.starts_with("--") && equals != std::string::npos) {
      flags.push_back({word.substr(0, equals), word.substr(equals + 1)});
    } else if (word.starts_with("--") && i + 1 < words.size() && !words[i + 1].starts_with("--")) {
      flags.push_back({word, words[i + 1]});
      ++i;
    } else {
      flags.push_back({word, std::nullopt});
    }
  }
  return flags;
}

}  // namespace

CommandLine ParseCommandLine(int argc, const char* const* argv, const std::string& description) {
  CommandLine line;
  line.program = argc > 0 ? LastPart(argv[0]) : "tocsin";
  CLI::App app(description, line.program);
  app.set_help_flag("");
  app.add_flag("-h,--help", line.help, "Print this help and every setting, and exit");
  app.add_option("--config", line.config_file,
                 "A YAML file of settings; a setting's name in it is its environment name in lower "
                 "case without TOCSIN_, sections are joined by _");
  app.add_flag("--check-config", line.check_config,
               "Read and check all settings, print the report, exit 0 or 2");
  app.set_version_flag("--version", line.program + " " TOCSIN_VERSION,
                       "Print the version and exit");
  app.allow_extras();
  app.footer(
      "A flag outranks the environment, the environment the file, the file the default.\n"
      "A secret is read from its variable, or from the file that NAME_FILE names.");
  try {
    app.parse(argc, argv);
    line.flags = Paired(app.remaining());
    if (line.help) line.usage = app.help();
  } catch (const CLI::ParseError& fault) {
    const int code = app.exit(fault, std::cout, std::cerr);
    line.exit_code = code == 0 ? kExitDone : kExitWrongUse;
  }
  return line;
}

}  // namespace tocsin::config
