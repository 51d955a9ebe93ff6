#include "common/registry_file/registry_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <map>
#include <sstream>
#include <string_view>

namespace tocsin::registry_file {
namespace {

constexpr std::streamoff kMaxFile = 1 << 20;
constexpr std::streamoff kMaxTokenFile = 4096;
constexpr size_t kMaxFaults = 20;  // more are not read by anybody

const std::map<std::string, Scope> kScopes{{"send", Scope::kSend},
                                           {"status", Scope::kStatus},
                                           {"admin", Scope::kAdmin},
                                           {"reveal", Scope::kReveal}};
const std::map<std::string, v1::Channel> kChannels{{"sms", v1::CHANNEL_SMS},
                                                   {"voice", v1::CHANNEL_VOICE}};
const std::map<std::string, v1::AlertClass> kClasses{{"emergency", v1::ALERT_CLASS_EMERGENCY},
                                                     {"high", v1::ALERT_CLASS_HIGH},
                                                     {"normal", v1::ALERT_CLASS_NORMAL},
                                                     {"bulk", v1::ALERT_CLASS_BULK}};
const std::map<std::string, ChannelMode> kModes{{"disabled", ChannelMode::kDisabled},
                                                {"simulation", ChannelMode::kSimulation},
                                                {"live", ChannelMode::kLive}};

Result<std::string> ReadBounded(const std::string& path, std::streamoff limit) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return Fail(ErrorCode::kInvalidConfig, "cannot be read", path);
  if (file.tellg() > limit)
    return Fail(ErrorCode::kInvalidConfig, "is larger than " + std::to_string(limit) + " bytes",
                path);
  file.seekg(0);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Reads one file. A fault ends the entry it stands in; the other entries are read all the same, so
// that a person mends all of them at once.
class Reader {
 public:
  explicit Reader(std::string path) : path_(std::move(path)) {}

  const std::vector<std::string>& faults() const { return faults_; }

  // "FILE:LINE: " of the entry that has this name; "FILE: " when none has.
  std::string PlaceOf(const std::string& name) const {
    const auto line = lines_.find(name);
    return path_ + (line == lines_.end() ? "" : ':' + std::to_string(line->second)) + ": ";
  }

  RegistrySnapshot::Content Read(const std::string& text) {
    const YAML::Node root = YAML::Load(text);
    RegistrySnapshot::Content content;
    Each([&] { Keys(root, {"clients", "accounts", "senders", "routes", "channels"}); });
    if (!root.IsMap()) return content;  // told above
    Entries(root, "clients",
            [&](const YAML::Node& node) { content.clients.push_back(ReadClient(node)); });
    Entries(root, "accounts",
            [&](const YAML::Node& node) { content.accounts.push_back(ReadAccount(node)); });
    Entries(root, "senders",
            [&](const YAML::Node& node) { content.senders.push_back(ReadSender(node)); });
    Entries(root, "routes",
            [&](const YAML::Node& node) { content.routes.push_back(ReadRoute(node)); });
    Each([&] {
      const YAML::Node channels = root["channels"];
      if (!channels) return;
      Keys(channels, {"sms", "voice"});
      if (channels["sms"]) content.sms = Word(channels["sms"], kModes);
      if (channels["voice"]) content.voice = Word(channels["voice"], kModes);
    });
    return content;
  }

 private:
  struct Fault {
    std::string text;
  };

  [[noreturn]] void Refuse(const YAML::Node& node, const std::string& what) const {
    const int line = node.IsDefined() ? node.Mark().line + 1 : 0;
    throw Fault{path_ + ":" + std::to_string(line) + ": " + what};
  }

  void Each(const std::function<void()>& read) {
    try {
      read();
    } catch (const Fault& fault) {
      if (faults_.size() < kMaxFaults) faults_.push_back(fault.text);
    }
  }

  void Entries(const YAML::Node& root, const char* key,
               const std::function<void(const YAML::Node&)>& read) {
    std::vector<YAML::Node> entries;
    Each([&] { entries = List(root, key); });
    for (const YAML::Node& entry : entries)
      Each([&] {
        read(entry);
        for (const char* name : {"id", "sid", "pattern"})
          if (entry[name]) lines_.emplace(entry[name].Scalar(), entry.Mark().line + 1);
      });
  }

  void Keys(const YAML::Node& node, std::initializer_list<std::string_view> known) const {
    if (!node.IsMap()) Refuse(node, "expected keys and values here");
    std::set<std::string> seen;
    for (const auto& pair : node) {
      const auto key = pair.first.as<std::string>();
      if (std::find(known.begin(), known.end(), key) == known.end())
        Refuse(pair.first, "unknown key `" + key + "`");
      if (!seen.insert(key).second) Refuse(pair.first, "the key `" + key + "` stands twice");
    }
  }

  std::vector<YAML::Node> List(const YAML::Node& parent, const char* key) const {
    const YAML::Node node = parent[key];
    if (!node) return {};
    if (!node.IsSequence()) Refuse(node, "`" + std::string(key) + "` must be a list");
    return {node.begin(), node.end()};
  }

  std::string Text(const YAML::Node& parent, const char* key, bool required = true) const {
    const YAML::Node node = parent[key];
    if (!node && !required) return {};
    if (!node || !node.IsScalar() || node.Scalar().empty())
      Refuse(parent, "`" + std::string(key) + "` is missing or empty");
    return node.Scalar();
  }

  template <typename T>
  T Word(const YAML::Node& node, const std::map<std::string, T>& words) const {
    const auto it = node.IsScalar() ? words.find(node.Scalar()) : words.end();
    if (it != words.end()) return it->second;
    std::string known;
    for (const auto& [word, value] : words) known += (known.empty() ? "" : ", ") + word;
    Refuse(node, "expected one of: " + known);
  }

  template <typename T>
  std::set<T> Words(const YAML::Node& parent, const char* key,
                    const std::map<std::string, T>& words) const {
    std::set<T> values;
    for (const YAML::Node& node : List(parent, key)) values.insert(Word(node, words));
    return values;
  }

  template <typename T>
  T Number(const YAML::Node& parent, const char* key, T fallback) const {
    const YAML::Node node = parent[key];
    if (!node) return fallback;
    try {
      return node.as<T>();
    } catch (const YAML::Exception&) {
      Refuse(node, "`" + std::string(key) + "` must be a number");
    }
  }

  Secret TokenFrom(const YAML::Node& parent, const char* key, bool required) const {
    const std::string file = Text(parent, key, required);
    if (file.empty()) return {};
    auto text = ReadBounded(file, kMaxTokenFile);
    if (!text)
      Refuse(parent[key], "the file named by `" + std::string(key) + "` " + text.error().message);
    text->erase(text->find_last_not_of(" \t\r\n") + 1);
    if (text->empty()) Refuse(parent[key], "the file named by `" + std::string(key) + "` is empty");
    return Secret(*std::move(text));
  }

  Client ReadClient(const YAML::Node& node) const {
    Keys(node, {"id", "api_keys"});
    Client client{Text(node, "id"), {}};
    for (const YAML::Node& key : List(node, "api_keys")) {
      Keys(key, {"prefix", "sha256", "scopes"});
      client.api_keys.push_back(
          {Text(key, "prefix"), Text(key, "sha256"), Words(key, "scopes", kScopes)});
    }
    return client;
  }

  Account ReadAccount(const YAML::Node& node) const {
    Keys(node, {"sid", "auth_token_file", "secondary_auth_token_file"});
    return {Text(node, "sid"), TokenFrom(node, "auth_token_file", false),
            TokenFrom(node, "secondary_auth_token_file", false)};
  }

  Sender ReadSender(const YAML::Node& node) const {
    Keys(node, {"id", "number", "messaging_service", "account", "channels", "classes",
                "segments_per_second", "calls_per_second"});
    return {.id = Text(node, "id"),
            .number = Text(node, "number", false),
            .messaging_service_sid = Text(node, "messaging_service", false),
            .account_sid = Text(node, "account"),
            .channels = Words(node, "channels", kChannels),
            .classes = Words(node, "classes", kClasses),
            .segments_per_second = Number(node, "segments_per_second", 1.0),
            .calls_per_second = Number(node, "calls_per_second", 1.0)};
  }

  Route ReadRoute(const YAML::Node& node) const {
    Keys(node, {"pattern", "priority", "account"});
    return {Text(node, "pattern"), Number(node, "priority", 0), Text(node, "account")};
  }

  const std::string path_;
  std::vector<std::string> faults_;
  std::map<std::string, int> lines_;  // of entries, by what they are called
};

std::string Joined(const std::vector<std::string>& faults) {
  std::string text;
  for (const std::string& fault : faults) text += (text.empty() ? "" : "\n  ") + fault;
  return text;
}

}  // namespace

Result<std::shared_ptr<const RegistrySnapshot>> Load(const std::string& path) {
  auto text = ReadBounded(path, kMaxFile);
  if (!text) {
    text.error().message = path + " " + text.error().message;
    text.error().field = "TOCSIN_REGISTRY_FILE";
    return Fail(text.error());
  }
  try {
    Reader reader(path);
    RegistrySnapshot::Content content = reader.Read(*text);
    if (!reader.faults().empty())
      return Fail(ErrorCode::kInvalidConfig, Joined(reader.faults()), "TOCSIN_REGISTRY_FILE");
    auto snapshot = RegistrySnapshot::Build(std::move(content));
    if (!snapshot) {
      const std::string name = snapshot.error().field;
      snapshot.error().message =
          reader.PlaceOf(name) + "`" + name + "`: " + snapshot.error().message;
    }
    return snapshot;
  } catch (const YAML::Exception& fault) {
    return Fail(ErrorCode::kInvalidConfig,
                path + ":" + std::to_string(fault.mark.line + 1) + ": not YAML: " + fault.msg,
                "TOCSIN_REGISTRY_FILE");
  }
}

}  // namespace tocsin::registry_file
