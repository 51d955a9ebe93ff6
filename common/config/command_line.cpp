#include "common/config/command_line.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <string_view>
#include <utility>

namespace tocsin::config {
namespace {

std::string BaseName(std::string_view path) {
  const size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

// Flags of settings. CLI11 cannot parse them: the settings are declared after the command line is
// parsed. A word that is not a flag becomes a flag without a value.
std::vector<Flag> ParseFlags(const std::vector<std::string>& words) {
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
  line.program = argc > 0 ? BaseName(argv[0]) : "tocsin";
  std::string format;
  CLI::App app(description, line.program);
  app.set_help_flag("");
  app.add_flag("-h,--help", line.help, "Print this help and all settings, and exit");
  app.add_option("--config", line.config_file,
                 "YAML file of settings. The key of a setting is its name in lower case without "
                 "TOCSIN_; sections are joined by _")
      ->type_name("FILE");
  app.add_flag("--check-config", line.check_config, "Validate the configuration and exit");
  app.add_option("--print-settings", format,
                 "Print all settings as a sample YAML file, a sample .env file or the rows of a "
                 "Markdown table, and exit")
      ->type_name("{yaml,env,markdown}");
  app.set_version_flag("--version", line.program + " " TOCSIN_VERSION,
                       "Print the version and exit");
  app.allow_extras();
  app.footer(
      "A flag overrides the environment, the environment overrides the file, the file overrides "
      "the default.\n"
      "A secret is read from its variable, or from the file that NAME_FILE names.");
  try {
    app.parse(argc, argv);
    line.flags = ParseFlags(app.remaining());
    if (line.help) line.usage = app.help();
    if (app.count("--print-settings") == 0) return line;
    line.print_settings = SettingsFormatNamed(format);
    if (!line.print_settings)
      throw CLI::ValidationError("--print-settings", "not yaml, env or markdown");
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error, std::cout, std::cerr);
    line.exit_code = code == 0 ? kExitSuccess : kExitUsage;
  }
  return line;
}

}  // namespace tocsin::config
