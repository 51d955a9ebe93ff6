#include "common/config/reader.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <iostream>
#include <numeric>
#include <sstream>

#include "common/config/secret_file.h"

namespace tocsin::config {
namespace {

constexpr std::string_view kPrefix = "TOCSIN_";
constexpr size_t kNearEnough = 2;  // letters by which a misspelt name may differ from the one meant

char Lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

// TOCSIN_KAFKA_BOOTSTRAP -> kafka_bootstrap
std::string FileName(std::string_view name) {
  if (!name.starts_with(kPrefix)) std::abort();  // a setting declared under a name it cannot have
  std::string key(name.substr(kPrefix.size()));
  std::transform(key.begin(), key.end(), key.begin(), Lower);
  return key;
}

// TOCSIN_KAFKA_BOOTSTRAP -> --kafka-bootstrap
std::string FlagName(std::string_view name) {
  std::string flag = "--" + FileName(name);
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

// Levenshtein's distance.
size_t Distance(std::string_view a, std::string_view b) {
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

std::string Advice(const std::string& wrong, const std::set<std::string>& known) {
  size_t best = kNearEnough + 1;
  std::string nearest;
  for (const std::string& name : known) {
    const size_t distance = Distance(wrong, name);
    if (distance < best) {
      best = distance;
      nearest = name;
    }
  }
  return nearest.empty() ? "remove it; --help lists the settings" : "did you mean " + nearest + "?";
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
    faults_.push_back({"--config", line_.config_file, content.error().reason, content.error().fix});
    return;
  }
  file_ = ParseYaml(content->text);
  for (const YamlFault& fault : file_.faults) {
    std::string place = line_.config_file;
    if (fault.line > 0) place += ':' + std::to_string(fault.line);
    faults_.push_back({fault.key.empty() ? "--config" : fault.key, place, fault.reason, fault.fix});
  }
}

Setting<std::string> Reader::Text(std::string name, std::string help) {
  return {*this, std::move(name), std::move(help), ParseText, false};
}

Setting<std::int64_t> Reader::Integer(std::string name, std::string help, std::int64_t min,
                                      std::int64_t max) {
  return {*this, std::move(name), std::move(help),
          [=](std::string_view text) { return ParseInteger(text, min, max); }, false};
}

Setting<std::chrono::milliseconds> Reader::Duration(std::string name, std::string help,
                                                    std::chrono::milliseconds min,
                                                    std::chrono::milliseconds max) {
  return {*this, std::move(name), std::move(help),
          [=](std::string_view text) { return ParseDuration(text, min, max); }, false};
}

Setting<bool> Reader::Boolean(std::string name, std::string help) {
  return {*this, std::move(name), std::move(help), ParseBoolean, false};
}

Setting<Address> Reader::HostPort(std::string name, std::string help) {
  return {*this, std::move(name), std::move(help), ParseAddress, false};
}

Setting<std::string> Reader::Url(std::string name, std::string help,
                                 std::vector<std::string> schemes) {
  return {*this, std::move(name), std::move(help),
          [schemes = std::move(schemes)](std::string_view text) { return ParseUrl(text, schemes); },
          false};
}

Setting<std::string> Reader::Choice(std::string name, std::string help,
                                    std::vector<std::string> choices) {
  return {
      *this, std::move(name), std::move(help),
      [choices = std::move(choices)](std::string_view text) { return ParseChoice(text, choices); },
      false};
}

Setting<std::vector<std::string>> Reader::List(std::string name, std::string help) {
  return {*this, std::move(name), std::move(help), ParseList, false};
}

Setting<Secret> Reader::SecretText(std::string name, std::string help) {
  const auto parse = [](std::string_view text) -> Parsed<Secret> {
    auto line = ParseText(text);
    if (!line) return tl::unexpected<Complaint>(line.error());
    return Secret(*std::move(line));
  };
  return {*this, std::move(name), std::move(help), parse, true};
}

Setting<Secret> Reader::SecretUrl(std::string name, std::string help,
                                  std::vector<std::string> schemes) {
  const auto parse = [schemes = std::move(schemes)](std::string_view text) {
    return ParseSecretUrl(text, schemes);
  };
  return {*this, std::move(name), std::move(help), parse, true};
}

void Reader::Ignore(std::string_view name) { known_.insert(FileName(name)); }

void Reader::AddFault(std::string setting, std::string reason, std::string fix) {
  const auto source = std::ranges::find(sources_, setting, &SettingSource::name);
  std::string place = source == sources_.end() ? std::string() : source->place;
  faults_.push_back({std::move(setting), std::move(place), std::move(reason), std::move(fix)});
}

void Reader::Declare(const Declaration& declaration) {
  known_.insert(FileName(declaration.name));
  if (declaration.secret) known_.insert(FileName(declaration.name + "_FILE"));
  helps_.push_back(
      {declaration.name, declaration.help, declaration.default_text, declaration.secret});
  sources_.push_back({declaration.name, Source::kUnset, ""});
}

std::optional<Reader::Found> Reader::Find(const Declaration& declaration, bool* broken) {
  const std::string& name = declaration.name;
  std::vector<std::pair<std::optional<Found>, std::optional<Found>>> offers;  // value, path of it
  const auto ask = [&](auto from, const std::string& asked) {
    offers.emplace_back(from(asked), declaration.secret ? from(asked + "_FILE") : std::nullopt);
  };
  ask([this](const std::string& asked) { return FromFlag(asked); }, name);
  if (declaration.secret && offers[0].first) {
    Refuse(name, *offers[0].first,
           {"is a secret on the command line, where everybody can read it",
            "use the environment, or " + FlagName(name) + "-file"});
    *broken = true;
    return std::nullopt;
  }
  ask([this](const std::string& asked) { return FromEnvironment(asked); }, name);
  for (const std::string& alias : declaration.aliases)
    ask([this](const std::string& asked) { return FromEnvironment(asked); }, alias);
  ask([this](const std::string& asked) { return FromFile(asked); }, name);

  for (const auto& [value, path] : offers) {
    if (!value && !path) continue;
    if (value && path) {
      Refuse(name, *path, {"is given both as a value and as a file", "keep one of the two"});
      *broken = true;
      return std::nullopt;
    }
    const Found& found = value ? *value : *path;
    SetSource(name, found.source, found.place);
    return value ? value : Content(*path, name, broken);
  }
  return std::nullopt;
}

std::optional<Reader::Found> Reader::FromFlag(const std::string& name) {
  std::optional<Found> found;
  for (const Flag& flag : line_.flags) {
    if (flag.name == FlagName(name) && flag.value)
      found = Found{*flag.value, Source::kFlag, flag.name};
  }
  return found;
}

std::optional<Reader::Found> Reader::FromEnvironment(const std::string& variable) const {
  auto value = environment_(variable);
  if (!value || value->empty()) return std::nullopt;
  return Found{*std::move(value), Source::kEnvironment, variable};
}

std::optional<Reader::Found> Reader::FromFile(const std::string& name) {
  const auto entry = file_.values.find(FileName(name));
  if (entry == file_.values.end()) return std::nullopt;
  return Found{entry->second.text, Source::kFile,
               line_.config_file + ':' + std::to_string(entry->second.line)};
}

std::optional<Reader::Found> Reader::Content(const Found& path, const std::string& name,
                                             bool* broken) {
  const auto secret = ReadSecretFile(path.text);
  if (!secret) {
    Refuse(name, path, secret.error());
    *broken = true;
    return std::nullopt;
  }
  if (secret->open_to_others)
    warnings_.push_back(name + " (" + path.place +
                        "): others than its owner may read or change the secret's file; chmod 600");
  return Found{secret->value.Reveal(), path.source, path.place};
}

void Reader::Refuse(const std::string& name, const Found& found, const Complaint& complaint) {
  faults_.push_back({name, found.place, complaint.reason, complaint.fix});
}

void Reader::Missing(const std::string& name, bool secret) {
  const std::string ways =
      secret ? "set " + name + " or " + name + "_FILE"
             : "set " + name + ", or " + FileName(name) + " in the file, or give " + FlagName(name);
  faults_.push_back({name, "", "is required and not given", ways});
}

void Reader::SetSource(const std::string& name, Source source, std::string place) {
  for (SettingSource& entry : sources_) {
    if (entry.name != name) continue;
    entry.source = source;
    entry.place = place;
  }
}

void Reader::RefuseUnknownFlags() {
  std::set<std::string> flags{"--config", "--check-config", "--help", "--version"};
  for (const std::string& key : known_) {
    std::string flag = "--" + key;
    std::replace(flag.begin(), flag.end(), '_', '-');
    flags.insert(flag);
  }
  std::set<std::string> seen;
  for (const Flag& flag : line_.flags) {
    if (!flag.name.starts_with("--")) {  // not shown: it may be a value that lost its flag
      faults_.push_back({"command line", "", "holds a word that belongs to no flag",
                         "write flags as --name VALUE"});
    } else if (flags.count(flag.name) == 0) {
      faults_.push_back(
          {flag.name, "command line", "is not a flag of this program", Advice(flag.name, flags)});
    } else if (!seen.insert(flag.name).second) {
      faults_.push_back({flag.name, "command line", "is given twice", "keep one of the two"});
    } else if (!flag.value) {
      faults_.push_back(
          {flag.name, "command line", "has no value", "write " + flag.name + " VALUE"});
    }
  }
}

void Reader::RefuseUnknownKeys() {
  for (const auto& [key, value] : file_.values) {
    if (known_.count(key) != 0) continue;
    faults_.push_back({key, line_.config_file + ':' + std::to_string(value.line),
                       "is not a setting of this program", Advice(key, known_)});
  }
}

Status Reader::Finish() {
  if (!std::exchange(finished_, true)) {
    RefuseUnknownFlags();
    RefuseUnknownKeys();
  }
  if (faults_.empty()) return {};
  return Fail(ErrorCode::kInvalidConfig, Report(), faults_.front().setting);
}

std::string Reader::Report() const {
  std::ostringstream text;
  text << faults_.size() << (faults_.size() == 1 ? " fault" : " faults") << " in the configuration";
  for (const Fault& fault : faults_) {
    text << "\n  " << fault.setting;
    if (!fault.place.empty()) text << " (" << fault.place << ')';
    text << ' ' << fault.reason << ".\n      Fix: " << fault.fix;
    if (!fault.fix.ends_with('?')) text << '.';
  }
  return text.str();
}

std::optional<int> Reader::Conclude() { return Conclude(std::cout, std::cerr); }

std::optional<int> Reader::Conclude(std::ostream& out, std::ostream& error) {
  if (line_.exit_code) return line_.exit_code;
  const Status status = Finish();
  if (line_.help) {
    PrintHelp(out);
    return kExitDone;
  }
  for (const std::string& warning : warnings_)
    error << line_.program << ": warning: " << warning << '\n';
  if (!status) {
    error << line_.program << ": " << status.error().message << '\n';
    return kExitWrongUse;
  }
  if (!line_.check_config) return std::nullopt;
  PrintSources(out);
  return kExitDone;
}

void Reader::PrintHelp(std::ostream& out) const {
  out << line_.usage << "\nSettings:\n";
  for (const Help& help : helps_) {
    out << "  " << help.name << (help.secret ? " or " + help.name + "_FILE" : "") << "\n      "
        << help.text << " (" << help.default_text << ")\n";
  }
}

void Reader::PrintSources(std::ostream& out) const {
  out << line_.program << ": the configuration is valid\n";
  for (const SettingSource& entry : sources_) {
    out << "  " << entry.name << ": " << NameOf(entry.source);
    if (!entry.place.empty()) out << " (" << entry.place << ')';
    out << '\n';
  }
}

}  // namespace tocsin::config
