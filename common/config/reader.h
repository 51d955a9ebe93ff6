// Reads the settings of a service. A flag overrides the TOCSIN_* environment, the environment
// overrides the YAML file, the file overrides the default. All errors are collected and reported
// together.
//
//   config::Reader reader(line);
//   config.servers = reader.Text("TOCSIN_KAFKA_BOOTSTRAP", "Kafka brokers").Required();
//   config.drain = reader.Duration("TOCSIN_DRAIN_TIMEOUT", "time to finish work", 0ms, 5min)
//                      .Default(25s);
//   if (const auto exit_code = reader.Conclude()) return *exit_code;
//
// A setting has one name. TOCSIN_KAFKA_BOOTSTRAP in the environment is `kafka_bootstrap`, or
// `bootstrap` in a section `kafka`, in the file, and --kafka-bootstrap as a flag. An empty
// environment variable counts as not set. Unknown flags and unknown keys of the file are errors;
// unknown TOCSIN_ variables are not, because one environment serves all programs.
//
// The declarations are also the source of --help, of the sample files and of the tables in
// docs/configuration.md (settings_printer.h).
//
// Not thread-safe. Blocks only to read a few small files.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <iosfwd>
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
#include "common/config/settings_printer.h"
#include "common/config/values.h"
#include "common/config/yaml_file.h"

namespace tocsin::config {

enum class Source { kFlag, kEnvironment, kFile, kDefault, kUnset };
std::string_view NameOf(Source source);  // "flag", "environment", "file", "default", "unset"

// Where a setting was read from, for the log. Does not hold the value.
struct SettingSource {
  std::string name;  // TOCSIN_…
  Source source = Source::kUnset;
  std::string place;  // the flag, the variable or FILE:LINE; empty for a default
};

struct SettingError {
  std::string setting;
  std::string place;  // the flag, the variable or FILE:LINE; empty if the setting is not given
  std::string reason;
  std::string fix;
};

// The value of an environment variable, or nothing.
using Environment = std::function<std::optional<std::string>(const std::string&)>;
Environment ProcessEnvironment();

class Reader;

// A setting that is being declared. Default(), Required() or Optional() ends the declaration and
// returns the value. After an error they return a placeholder, and Conclude() reports the error.
template <typename T>
class Setting {
 public:
  using Parser = std::function<Parsed<T>(std::string_view)>;

  Setting(Reader& reader, SettingDoc doc, Parser parse)
      : reader_(reader), doc_(std::move(doc)), parse_(std::move(parse)) {}

  // Another name for the same setting, read after the setting's own name. A name that begins with
  // TOCSIN_ is also a flag and a key of the file; any other name is an environment variable.
  Setting& Alias(std::string name) {
    doc_.aliases.push_back(std::move(name));
    return *this;
  }

  // The value in the sample files. Needed if it is required or optional and not a secret.
  Setting& Example(std::string value) {
    doc_.example = std::move(value);
    return *this;
  }

  // Describes in the documentation a default that is computed.
  Setting& DefaultText(std::string text) {
    doc_.default_text = std::move(text);
    doc_.default_is_value = false;
    return *this;
  }

  T Default(T value);
  T Required();
  std::optional<T> Optional();

 private:
  std::optional<T> Read(SettingNeed need, bool* given);

  Reader& reader_;
  SettingDoc doc_;
  Parser parse_;
};

class Reader {
 public:
  explicit Reader(CommandLine line, Environment environment = ProcessEnvironment());

  // `name` is the environment variable and begins with TOCSIN_. `help` is a noun phrase without a
  // period. `unit` completes "1 to 64 …": "threads".
  Setting<std::string> Text(std::string name, std::string help);
  Setting<std::int64_t> Integer(std::string name, std::string help, std::int64_t min,
                                std::int64_t max, const std::string& unit);
  Setting<std::chrono::milliseconds> Duration(std::string name, std::string help,
                                              std::chrono::milliseconds min,
                                              std::chrono::milliseconds max);
  Setting<Address> HostPort(std::string name, std::string help);
  Setting<std::string> Url(std::string name, std::string help, std::vector<std::string> schemes);
  Setting<std::string> Choice(std::string name, std::string help, std::vector<std::string> choices);

  // A URL that may hold a password: read from NAME, or from the file that NAME_FILE names. It is an
  // error to give both in one place, or to give the secret as a flag: every user of the host can
  // read command lines.
  Setting<Secret> SecretUrl(std::string name, std::string help, std::vector<std::string> schemes);

  // Text that may hold a password, such as several lines of NAME=VALUE. As SecretUrl.
  Setting<Secret> SecretText(std::string name, std::string help, std::string values);

  // Adds an error that only the service can detect, such as two settings that contradict each
  // other. `setting` is declared.
  void AddError(std::string setting, std::string reason, std::string fix);

  // Call it after the last declaration. Also refuses unknown flags and keys. The error's message is
  // the complete report; it never contains a value.
  Status Finish();

  // Finish() for main(). Prints what the command line asks for: the errors on stderr (exit code 2),
  // --check-config, --print-settings or --help on stdout (exit code 0). Nothing: continue.
  std::optional<int> Conclude();
  std::optional<int> Conclude(std::ostream& out, std::ostream& error);

  // Whether the command line asks for output instead of a running service: --help,
  // --print-settings, --check-config.
  bool PrintsOnly() const;

  // Complete after Finish().
  const std::vector<SettingError>& errors() const { return errors_; }
  const std::vector<std::string>& warnings() const { return warnings_; }
  const std::vector<SettingSource>& sources() const { return sources_; }  // as declared

 private:
  template <typename T>
  friend class Setting;

  struct Found {
    std::string text;
    Source source = Source::kUnset;
    std::string place;
  };

  void LoadFile();
  void Declare(SettingDoc doc);
  // Returns the text that was given for the setting, or nothing. Sets `*invalid` if it was given
  // and cannot be used.
  std::optional<Found> Find(const SettingDoc& doc, bool* invalid);
  std::optional<Found> FindFlag(const std::string& name) const;
  std::optional<Found> FindVariable(const std::string& name) const;
  std::optional<Found> FindInFile(const std::string& name) const;
  std::optional<Found> ReadSecret(const Found& path, const std::string& name, bool* invalid);
  void AddError(const std::string& name, const Found& found, const ParseError& error);
  void AddMissing(const SettingDoc& doc);
  void SetSource(const std::string& name, Source source, const std::string& place);
  void RefuseUnknownFlags();
  void RefuseUnknownKeys();
  std::string Report() const;
  void PrintSources(std::ostream& out) const;

  CommandLine line_;
  Environment environment_;
  YamlFile file_;
  std::set<std::string> known_keys_;  // of all declared settings and their aliases
  std::vector<SettingDoc> docs_;
  std::vector<SettingSource> sources_;
  std::vector<SettingError> errors_;
  std::vector<std::string> warnings_;
  bool finished_ = false;
};

template <typename T>
std::optional<T> Setting<T>::Read(SettingNeed need, bool* given) {
  doc_.need = need;
  reader_.Declare(doc_);
  bool invalid = false;
  const auto found = reader_.Find(doc_, &invalid);
  *given = found.has_value() || invalid;
  if (!found) return std::nullopt;
  Parsed<T> value = parse_(found->text);
  if (!value) {
    reader_.AddError(doc_.name, *found, value.error());
    return std::nullopt;
  }
  return *std::move(value);
}

template <typename T>
T Setting<T>::Default(T value) {
  if (doc_.default_is_value) doc_.default_text = TextOf(value);
  bool given = false;
  std::optional<T> read = Read(SettingNeed::kDefault, &given);
  if (!given) reader_.SetSource(doc_.name, Source::kDefault, "");
  return read ? *std::move(read) : std::move(value);
}

template <typename T>
T Setting<T>::Required() {
  bool given = false;
  std::optional<T> read = Read(SettingNeed::kRequired, &given);
  if (!given) reader_.AddMissing(doc_);
  return read ? *std::move(read) : T{};
}

template <typename T>
std::optional<T> Setting<T>::Optional() {
  bool given = false;
  return Read(SettingNeed::kOptional, &given);
}

}  // namespace tocsin::config
