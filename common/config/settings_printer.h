// Documentation of settings: --help, sample files and tables are printed from their declarations.
#pragma once

#include <iosfwd>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin::config {

enum class SettingsFormat { kYaml, kEnv, kMarkdown };

std::optional<SettingsFormat> SettingsFormatNamed(std::string_view name);  // "yaml", …

enum class SettingNeed { kRequired, kOptional, kDefault };

struct SettingDoc {
  std::string name;               // TOCSIN_…
  std::string help;               // a noun phrase without a period
  std::string values;             // type, range and unit: "1 to 64 threads"; empty: any text
  bool secret = false;            // read from NAME or from the file that NAME_FILE names
  std::string example = {};       // for the sample files; may differ from the default
  std::string default_text = {};  // for kDefault
  bool default_is_value = true;   // false: `default_text` describes the default
  SettingNeed need = SettingNeed::kRequired;
  std::vector<std::string> aliases = {};
};

// TOCSIN_KAFKA_BOOTSTRAP -> kafka_bootstrap. Aborts unless `name` begins with TOCSIN_.
std::string FileKeyOf(std::string_view name);
// TOCSIN_KAFKA_BOOTSTRAP -> --kafka-bootstrap
std::string FlagOf(std::string_view name);

// The section "Settings" of --help.
void PrintHelp(std::ostream& out, std::span<const SettingDoc> settings);

// A sample file sets what is required and what has an example. All other settings are commented out
// and show their defaults. A secret is set by its file. Markdown: a table row per setting.
void PrintSettings(std::ostream& out, SettingsFormat format, const std::string& program,
                   std::span<const SettingDoc> settings);

}  // namespace tocsin::config
