// Reads a service's settings: flag, else TOCSIN_* environment, else YAML file, else default. It
// collects every fault before it gives up, so that a person mends all of them at once.
//
//   config::Reader reader(line);
//   config.bootstrap = reader.Text("TOCSIN_KAFKA_BOOTSTRAP", "Kafka brokers").Required();
//   config.drain = reader.Duration("TOCSIN_DRAIN_MS", "time to finish work", 0ms,
//   5min).Default(25s); if (const auto exit_code = reader.Conclude()) return *exit_code;
//
// One setting has one name. TOCSIN_KAFKA_BOOTSTRAP in the environment is `kafka_bootstrap`, or
// `bootstrap` in a section `kafka`, in the file, and --kafka-bootstrap as a flag. An empty
// environment value counts as not given. Unknown TOCSIN_ names in the environment are no fault (one
// `env` serves all services); unknown names in the file and unknown flags are.
//
// Used by one thread, at start. Reads files; blocks for no longer than reading a few small files
// takes.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/config/command_line.h"
#include "common/config/values.h"
#include "common/config/yaml_file.h"

namespace tocsin::config {

enum class Source { kFlag, kEnvironment, kFile, kDefault, kUnset };
std::string_view NameOf(Source source);  // "flag", "environment", "file", "default", "unset"

// Where a setting came from: for the start log. It never holds the value.
struct SettingSource {
  std::string name;  // TOCSIN_…
  Source source = Source::kUnset;
  std::string place;  // the flag, the variable or FILE:LINE; empty for a default
};

// One thing wrong: which setting, where it was said, why it cannot be used and what to do.
struct Fault {
  std::string setting;
  std::string place;  // a flag, a variable, FILE:LINE; empty when the setting is not given at all
  std::string reason;
  std::string fix;
};

// The value of an environment variable, or nothing.
using Environment = std::function<std::optional<std::string>(const std::string&)>;
Environment ProcessEnvironment();

class Reader;

// A setting being declared. Default(), Required() or Optional() ends the declaration and gives the
// value; after a fault they give a value that stands in, and Conclude() tells of it.
template <typename T>
class Setting {
 public:
  using Parser = std::function<Parsed<T>(std::string_view)>;

  Setting(Reader& reader, std::string name, std::string help, Parser parse, bool secret)
      : reader_(reader),
        name_(std::move(name)),
        help_(std::move(help)),
        parse_(std::move(parse)),
        secret_(secret) {}

  // Another environment variable that says the same, asked after the setting's own name.
  Setting& Alias(std::string variable) {
    aliases_.push_back(std::move(variable));
    return *this;
  }

  T Default(T value);
  T Required();
  std::optional<T> Optional();

 private:
  std::optional<T> Read(std::string default_text, bool* given);

  Reader& reader_;
  std::string name_;
  std::string help_;
  Parser parse_;
  bool secret_;
  std::vector<std::string> aliases_;
};

class Reader {
 public:
  explicit Reader(CommandLine line, Environment environment = ProcessEnvironment());

  // `name` is the environment name and begins with TOCSIN_. `help` is a phrase for --help.
  Setting<std::string> Text(std::string name, std::string help);
  Setting<std::int64_t> Integer(std::string name, std::string help, std::int64_t min,
                                std::int64_t max);
  Setting<std::chrono::milliseconds> Duration(
      std::string name, std::string help,
      std::chrono::milliseconds min = std::chrono::milliseconds(0),
      std::chrono::milliseconds max = kLongestDuration);
  Setting<bool> Boolean(std::string name, std::string help);
  Setting<Address> HostPort(std::string name, std::string help);
  Setting<std::string> Url(std::string name, std::string help, std::vector<std::string> schemes);
  Setting<std::string> Choice(std::string name, std::string help, std::vector<std::string> choices);
  Setting<std::vector<std::string>> List(std::string name, std::string help);

  // A secret: from NAME, or from the file that NAME_FILE names. Both at the same place is a fault,
  // and so is a secret as a flag, for command lines are visible to all.
  Setting<Secret> SecretText(std::string name, std::string help);
  Setting<Secret> SecretUrl(std::string name, std::string help, std::vector<std::string> schemes);

  // A file may hold this setting though this program does not read it: another one does.
  void Ignore(std::string_view name);

  // Adds a fault that only the service can see, such as two settings that contradict each other.
  // `setting` was declared before; the report says where it was given.
  void AddFault(std::string setting, std::string reason, std::string fix);

  // To be called after the last declaration: also refuses what was given and not declared. The
  // error's message is the whole report. Safe to log: no report ever holds a value.
  Status Finish();

  // Finish(), for main(): prints the report on stderr when there are faults (exit code 2), the
  // settings and their sources on stdout for --check-config (0), the help for --help (0). Nothing:
  // go on.
  std::optional<int> Conclude();
  std::optional<int> Conclude(std::ostream& out, std::ostream& error);

  const std::vector<Fault>& faults() const { return faults_; }
  const std::vector<std::string>& warnings() const { return warnings_; }  // for the start log
  const std::vector<SettingSource>& sources() const { return sources_; }  // in order of declaration

 private:
  template <typename T>
  friend class Setting;

  struct Found {
    std::string text;
    Source source = Source::kUnset;
    std::string place;
  };
  struct Help {
    std::string name;
    std::string text;
    std::string default_text;
    bool secret = false;
  };
  struct Declaration {
    const std::string& name;
    const std::string& help;
    const std::vector<std::string>& aliases;
    bool secret;
    std::string default_text;
  };

  void LoadFile();
  void Declare(const Declaration& declaration);
  // What was given for the setting: nothing given, or given and broken (`broken` is then set).
  std::optional<Found> Find(const Declaration& declaration, bool* broken);
  std::optional<Found> FromFlag(const std::string& name);
  std::optional<Found> FromEnvironment(const std::string& variable) const;
  std::optional<Found> FromFile(const std::string& name);
  std::optional<Found> Content(const Found& path, const std::string& name, bool* broken);
  void Refuse(const std::string& name, const Found& found, const Complaint& complaint);
  void Missing(const std::string& name, bool secret);
  void SetSource(const std::string& name, Source source, std::string place);
  void RefuseUnknownFlags();
  void RefuseUnknownKeys();
  std::string Report() const;
  void PrintHelp(std::ostream& out) const;
  void PrintSources(std::ostream& out) const;

  CommandLine line_;
  Environment environment_;
  YamlFile file_;
  std::set<std::string> known_;  // names of the file that are declared, or ignored
  std::vector<Help> helps_;
  std::vector<SettingSource> sources_;
  std::vector<Fault> faults_;
  std::vector<std::string> warnings_;
  bool finished_ = false;
};

template <typename T>
std::optional<T> Setting<T>::Read(std::string default_text, bool* given) {
  const Reader::Declaration declaration{name_, help_, aliases_, secret_, std::move(default_text)};
  reader_.Declare(declaration);
  bool broken = false;
  const auto found = reader_.Find(declaration, &broken);
  *given = found.has_value() || broken;
  if (!found) return std::nullopt;
  Parsed<T> value = parse_(found->text);
  if (!value) {
    reader_.Refuse(name_, *found, value.error());
    return std::nullopt;
  }
  return *std::move(value);
}

template <typename T>
T Setting<T>::Default(T value) {
  bool given = false;
  std::optional<T> read = Read("default " + Shown(value), &given);
  if (!given) reader_.SetSource(name_, Source::kDefault, "");
  return read ? *std::move(read) : std::move(value);
}

template <typename T>
T Setting<T>::Required() {
  bool given = false;
  std::optional<T> read = Read("required", &given);
  if (!given) reader_.Missing(name_, secret_);
  return read ? *std::move(read) : T{};
}

template <typename T>
std::optional<T> Setting<T>::Optional() {
  bool given = false;
  return Read("optional", &given);
}

}  // namespace tocsin::config
