#include "common/config/reader.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <numeric>
#include <sstream>

#include "common/config/secret_file.h"

namespace tocsin::config {
namespace {

constexpr std::string_view kPrefix = "TOCSIN_";
constexpr size_t kMaxTypos = 2;  // edits between an unknown name and the suggested one

size_t LevenshteinDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row.back();
}

std::string Suggestion(const std::string& unknown, const std::set<std::string>& known) {
  size_t best = kMaxTypos + 1;
  std::string nearest;
  for (const std::string& name : known) {
    const size_t distance = LevenshteinDistance(unknown, name);
    if (distance < best) {
      best = distance;
      nearest = name;
    }
  }
  return nearest.empty() ? "remove it; --help lists the settings" : "did you mean " + nearest + "?";
}

std::string Joined(const std::vector<std::string>& words, std::string_view last_separator) {
  std::string text;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? last_separator : ", ";
    text += words[i];
  }
  return text;
}

}  // namespace

std::string_view NameOf(Source source) {
  switch (source) {
    case Source::kFlag: return "flag";
    case Source::kEnvironment: return "environment";
    case Source::kFile: return "file";
    case Source::kDefault: return "default";
    case Source::kUnset: return "unset";
  }
  return "unset";
}

Environment ProcessEnvironment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
}

Reader::Reader(CommandLine line, Environment environment)
    : line_(std::move(line)), environment_(std::move(environment)) {
  if (!line_.config_file.empty()) LoadFile();
}

void Reader::LoadFile() {
  auto content = ReadSmallFile(line_.config_file, kFileLimit);
  if (!content) {
    errors_.push_back({"--config", line_.config_file, content.error().reason, content.error().fix});
    return;
  }
  file_ = ParseYaml(content->text);
  for (const YamlError& error : file_.errors) {
    std::string place = line_.config_file;
    if (error.line > 0) place += ':' + std::to_string(error.line);
    errors_.push_back({error.key.empty() ? "--config" : error.key, place, error.reason, error.fix});
  }
}

Setting<std::string> Reader::Text(std::string name, std::string help) {
  return {*this, {std::move(name), std::move(help), ""}, ParseText};
}

Setting<std::int64_t> Reader::Integer(std::string name, std::string help, std::int64_t min,
                                      std::int64_t max, const std::string& unit) {
  return {*this,
          {std::move(name), std::move(help), TextOf(min) + " to " + TextOf(max) + ' ' + unit},
          [=](std::string_view text) { return ParseInteger(text, min, max); }};
}

Setting<std::chrono::milliseconds> Reader::Duration(std::string name, std::string help,
                                                    std::chrono::milliseconds min,
                                                    std::chrono::milliseconds max) {
  return {*this,
          {std::move(name), std::move(help), TextOf(min) + " to " + TextOf(max)},
          [=](std::string_view text) { return ParseDuration(text, min, max); }};
}

Setting<Address> Reader::HostPort(std::string name, std::string help) {
  return {*this, {std::move(name), std::move(help), "host:port"}, ParseAddress};
}

Setting<std::string> Reader::Url(std::string name, std::string help,
                                 std::vector<std::string> schemes) {
  std::string expected = Joined(schemes, " or ") + " URL";
  return {
      *this,
      {std::move(name), std::move(help), std::move(expected)},
      [schemes = std::move(schemes)](std::string_view text) { return ParseUrl(text, schemes); }};
}

Setting<std::string> Reader::Choice(std::string name, std::string help,
                                    std::vector<std::string> choices) {
  std::string expected = Joined(choices, " or ");
  return {
      *this,
      {std::move(name), std::move(help), std::move(expected)},
      [choices = std::move(choices)](std::string_view text) { return ParseChoice(text, choices); }};
}

Setting<Secret> Reader::SecretUrl(std::string name, std::string help,
                                  std::vector<std::string> schemes) {
  std::string expected = Joined(schemes, " or ") + " URL";
  return {*this,
          {std::move(name), std::move(help), std::move(expected), true},
          [schemes = std::move(schemes)](std::string_view text) {
            return ParseSecretUrl(text, schemes);
          }};
}

Setting<Secret> Reader::SecretText(std::string name, std::string help, std::string values) {
  return {*this,
          {std::move(name), std::move(help), std::move(values), true},
          [](std::string_view text) -> Parsed<Secret> { return Secret(std::string(text)); }};
}

void Reader::AddError(std::string setting, std::string reason, std::string fix) {
  const auto source = std::ranges::find(sources_, setting, &SettingSource::name);
  std::string place = source == sources_.end() ? std::string() : source->place;
  errors_.push_back({std::move(setting), std::move(place), std::move(reason), std::move(fix)});
}

void Reader::Declare(SettingDoc doc) {
  const auto add_key = [&](const std::string& name) {
    known_keys_.insert(FileKeyOf(name));
    if (doc.secret) known_keys_.insert(FileKeyOf(name + "_FILE"));
  };
  add_key(doc.name);
  for (const std::string& alias : doc.aliases)
    if (alias.starts_with(kPrefix)) add_key(alias);
  sources_.push_back({doc.name, Source::kUnset, ""});
  docs_.push_back(std::move(doc));
}

std::optional<Reader::Found> Reader::Find(const SettingDoc& doc, bool* invalid) {
  std::vector<std::string> names{doc.name};
  names.insert(names.end(), doc.aliases.begin(), doc.aliases.end());
  using FindIn = std::optional<Found> (Reader::*)(const std::string&) const;
  for (const FindIn find : {&Reader::FindFlag, &Reader::FindVariable, &Reader::FindInFile}) {
    for (const std::string& name : names) {
      const auto value = (this->*find)(name);
      const auto path = doc.secret ? (this->*find)(name + "_FILE") : std::nullopt;
      if (!value && !path) continue;
      const Found& found = value ? *value : *path;
      *invalid = true;
      if (doc.secret && value && value->source == Source::kFlag) {
        AddError(doc.name, found,
                 {"is a secret on the command line, which every user of the host can read",
                  "use the environment, or " + FlagOf(name) + "-file"});
        return std::nullopt;
      }
      if (value && path) {
        AddError(doc.name, *path,
                 {"is given both as a value and as a file", "remove one of the two"});
        return std::nullopt;
      }
      *invalid = false;
      SetSource(doc.name, found.source, found.place);
      return value ? value : ReadSecret(*path, doc.name, invalid);
    }
  }
  return std::nullopt;
}

std::optional<Reader::Found> Reader::FindFlag(const std::string& name) const {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  std::optional<Found> found;
  for (const Flag& flag : line_.flags) {
    if (flag.name == FlagOf(name) && flag.value)
      found = Found{*flag.value, Source::kFlag, flag.name};
  }
  return found;
}

std::optional<Reader::Found> Reader::FindVariable(const std::string& name) const {
  auto value = environment_(name);
  if (!value || value->empty()) return std::nullopt;
  return Found{*std::move(value), Source::kEnvironment, name};
}

std::optional<Reader::Found> Reader::FindInFile(const std::string& name) const {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  const auto entry = file_.values.find(FileKeyOf(name));
  if (entry == file_.values.end()) return std::nullopt;
  return Found{entry->second.text, Source::kFile,
               line_.config_file + ':' + std::to_string(entry->second.line)};
}

std::optional<Reader::Found> Reader::ReadSecret(const Found& path, const std::string& name,
                                                bool* invalid) {
  const auto secret = ReadSecretFile(path.text);
  if (!secret) {
    AddError(name, path, secret.error());
    *invalid = true;
    return std::nullopt;
  }
  if (secret->accessible_to_others)
    warnings_.push_back(name + " (" + path.place +
                        "): the secret's file is accessible to other users; run chmod 600");
  return Found{secret->value.Reveal(), path.source, path.place};
}

void Reader::AddError(const std::string& name, const Found& found, const ParseError& error) {
  errors_.push_back({name, found.place, error.reason, error.fix});
}

void Reader::AddMissing(const SettingDoc& doc) {
  const std::string& name = doc.name;
  const std::string ways =
      doc.secret ? "set " + name + " or " + name + "_FILE"
                 : "set " + name + ", or " + FileKeyOf(name) + " in the file, or " + FlagOf(name);
  errors_.push_back({name, "", "is required", ways});
}

void Reader::SetSource(const std::string& name, Source source, const std::string& place) {
  for (SettingSource& entry : sources_) {
    if (entry.name != name) continue;
    entry.source = source;
    entry.place = place;
  }
}

void Reader::RefuseUnknownFlags() {
  std::set<std::string> flags{"--config", "--check-config", "--print-settings", "--help",
                              "--version"};
  for (const std::string& key : known_keys_) {
    std::string flag = "--" + key;
    std::replace(flag.begin(), flag.end(), '_', '-');
    flags.insert(flag);
  }
  std::set<std::string> seen;
  for (const Flag& flag : line_.flags) {
    if (!flag.name.starts_with("--")) {  // not printed: it may be a secret value
      errors_.push_back({"command line", "", "has an argument that belongs to no flag",
                         "write flags as --name VALUE"});
    } else if (flags.count(flag.name) == 0) {
      errors_.push_back({flag.name, "command line", "is not a flag of this program",
                         Suggestion(flag.name, flags)});
    } else if (!seen.insert(flag.name).second) {
      errors_.push_back({flag.name, "command line", "is given twice", "remove one of the two"});
    } else if (!flag.value) {
      errors_.push_back(
          {flag.name, "command line", "has no value", "write " + flag.name + " VALUE"});
    }
  }
}

void Reader::RefuseUnknownKeys() {
  for (const auto& [key, value] : file_.values) {
    if (known_keys_.count(key) != 0) continue;
    errors_.push_back({key, line_.config_file + ':' + std::to_string(value.line),
                       "is not a setting of this program", Suggestion(key, known_keys_)});
  }
}

Status Reader::Finish() {
  if (!std::exchange(finished_, true)) {
    RefuseUnknownFlags();
    RefuseUnknownKeys();
  }
  if (errors_.empty()) return {};
  return Fail(ErrorCode::kInvalidConfig, Report(), errors_.front().setting);
}

std::string Reader::Report() const {
  std::ostringstream text;
  text << errors_.size() << (errors_.size() == 1 ? " error" : " errors") << " in the configuration";
  for (const SettingError& error : errors_) {
    text << "\n  " << error.setting;
    if (!error.place.empty()) text << " (" << error.place << ')';
    text << ' ' << error.reason << ".\n      Fix: " << error.fix;
    if (!error.fix.ends_with('?')) text << '.';
  }
  return text.str();
}

bool Reader::PrintsOnly() const {
  return line_.exit_code || line_.help || line_.print_settings || line_.check_config;
}

std::optional<int> Reader::Conclude() { return Conclude(std::cout, std::cerr); }

std::optional<int> Reader::Conclude(std::ostream& out, std::ostream& error) {
  if (line_.exit_code) return line_.exit_code;
  const Status status = Finish();
  if (line_.help) {
    out << line_.usage;
    PrintHelp(out, docs_);
    return kExitSuccess;
  }
  if (line_.print_settings) {
    PrintSettings(out, *line_.print_settings, line_.program, docs_);
    return kExitSuccess;
  }
  for (const std::string& warning : warnings_)
    error << line_.program << ": warning: " << warning << '\n';
  if (!status) {
    error << line_.program << ": " << status.error().message << '\n';
    return kExitUsage;
  }
  if (!line_.check_config) return std::nullopt;
  PrintSources(out);
  return kExitSuccess;
}

void Reader::PrintSources(std::ostream& out) const {
  out << line_.program << ": configuration OK\n";
  for (const SettingSource& entry : sources_) {
    out << "  " << entry.name << ": " << NameOf(entry.source);
    if (!entry.place.empty()) out << " (" << entry.place << ')';
    out << '\n';
  }
}

}  // namespace tocsin::config
