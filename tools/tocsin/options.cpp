#include "tools/tocsin/options.h"

#include <sstream>

#include "common/base/error.h"

namespace tocsin::cli {
namespace {

// 0.1 -> "0.1", 3600 -> "3600"
std::string TextOf(double number) {
  std::ostringstream text;
  text.precision(15);
  text << number;
  return text.str();
}

}  // namespace

CLI::Option* Hide(CLI::Option* option) { return option->group(""); }
CLI::App* Hide(CLI::App* command) { return command->group(""); }

CLI::Option* AddSeconds(CLI::App& command, const std::string& name, double& seconds, double min,
                        double max, const std::string& help) {
  return command
      .add_option(
          name, seconds,
          help + " (" + TextOf(min) + " to " + TextOf(max) + "; default " + TextOf(seconds) + ')')
      ->check(CLI::Range(min, max).description(""))
      ->type_name(kSeconds);
}

CLI::Option* AddLimit(CLI::App& command, int& limit, int max) {
  return command
      .add_option("--limit", limit,
                  "largest number of results (1 to " + std::to_string(max) + "; default " +
                      std::to_string(limit) + ')')
      ->check(CLI::Range(1, max).description(""))
      ->type_name("NUMBER");
}

std::vector<std::string> ValuesOf(const CLI::Option& option) {
  const std::string placeholder = option.get_type_name();
  if (placeholder == kReason) return ReasonNames();
  if (!placeholder.starts_with('{') || !placeholder.ends_with('}')) return {};
  return CLI::detail::split(placeholder.substr(1, placeholder.size() - 2), ',');
}

std::vector<std::string> ReasonNames() {
  std::vector<std::string> names;
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i)
    names.emplace_back(TraitsOf(static_cast<ErrorCode>(i)).name);
  return names;
}

}  // namespace tocsin::cli
