#include "common/registry_file/registry_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <map>
#include <sstream>
#include <string_view>
#include <system_error>

namespace tocsin::registry_file {
namespace {

constexpr std::streamoff kMaxFile = 1 << 20;    // bytes
constexpr std::streamoff kMaxTokenFile = 4096;  // bytes
constexpr size_t kMaxErrors = 20;               // reported at once

const std::map<std::string, Scope> kScopes{{"send", Scope::kSend},
                                           {"status", Scope::kStatus},
                                           {"admin", Scope::kAdmin},
                                           {"reveal", Scope::kReveal}};
const std::map<std::string, v1::Channel> kChannels{{"sms", v1::CHANNEL_SMS},
                                                   {"voice", v1::CHANNEL_VOICE}};
const std::map<std::string, v1::Priority> kPriorities{{"emergency", v1::PRIORITY_EMERGENCY},
                                                      {"high", v1::PRIORITY_HIGH},
                                                      {"normal", v1::PRIORITY_NORMAL},
                                                      {"bulk", v1::PRIORITY_BULK}};
const std::map<std::string, ChannelMode> kModes{{"disabled", ChannelMode::kDisabled},
                                                {"live", ChannelMode::kLive}};
constexpr std::string_view kUnimplementedMode = "simulation";

Result<std::string> ReadBounded(const std::string& path, std::streamoff limit) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file)
    return Fail(ErrorCode::kInvalidConfig,
                "cannot be read: " + std::generic_category().message(errno), path);
  if (file.tellg() > limit)
    return Fail(ErrorCode::kInvalidConfig, "is larger than " + std::to_string(limit) + " bytes",
                path);
  file.seekg(0);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// "FILE:LINE: "; "FILE: " without a line, which is 0.
std::string Place(const std::string& path, int line) {
  return path + (line > 0 ? ':' + std::to_string(line) : "") + ": ";
}

// From 1; 0 if the node has none, such as the root of an empty file.
int LineOf(const YAML::Node& node) { return node.IsDefined() ? node.Mark().line + 1 : 0; }

// Parses one file. After an error in an entry it continues with the next entry, so that all errors
// are reported at once.
class Parser {
 public:
  explicit Parser(std::string path) : path_(std::move(path)) {}

  const std::vector<std::string>& errors() const { return errors_; }

  // Of the entry with this name.
  std::string PlaceOf(const std::string& name) const {
    const auto line = lines_.find(name);
    return Place(path_, line == lines_.end() ? 0 : line->second);
  }

  RegistrySnapshot::Content Parse(const std::string& text) {
    const YAML::Node root = YAML::Load(text);
    RegistrySnapshot::Content content;
    CollectError([&] {
      CheckKeys(root, {"clients", "accounts", "senders", "routes", "channels"});
    });
    if (!root.IsMap()) return content;  // reported above
    ReadEntries(root, "clients",
                [&](const YAML::Node& node) { content.clients.push_back(ReadClient(node)); });
    ReadEntries(root, "accounts",
                [&](const YAML::Node& node) { content.accounts.push_back(ReadAccount(node)); });
    ReadEntries(root, "senders",
                [&](const YAML::Node& node) { content.senders.push_back(ReadSender(node)); });
    ReadEntries(root, "routes",
                [&](const YAML::Node& node) { content.routes.push_back(ReadRoute(node)); });
    CollectError([&] {
      const YAML::Node channels = root["channels"];
      if (!channels) return;
      CheckKeys(channels, {"sms", "voice"});
      if (channels["sms"]) content.sms = Mode(channels["sms"]);
      if (channels["voice"]) content.voice = Mode(channels["voice"]);
    });
    return content;
  }

 private:
  struct Invalid {
    std::string message;
  };

  [[noreturn]] void Reject(const YAML::Node& node, const std::string& problem) const {
    throw Invalid{Place(path_, LineOf(node)) + problem};
  }

  void CollectError(const std::function<void()>& read) {
    try {
      read();
    } catch (const Invalid& invalid) {
      if (errors_.size() < kMaxErrors) errors_.push_back(invalid.message);
    }
  }

  void ReadEntries(const YAML::Node& root, const char* key,
                   const std::function<void(const YAML::Node&)>& read) {
    std::vector<YAML::Node> entries;
    CollectError([&] { entries = List(root, key); });
    for (const YAML::Node& entry : entries)
      CollectError([&] {
        read(entry);
        for (const char* name : {"id", "sid", "pattern"})
          if (entry[name]) lines_.emplace(entry[name].Scalar(), LineOf(entry));
      });
  }

  void CheckKeys(const YAML::Node& node, std::initializer_list<std::string_view> known) const {
    if (!node.IsMap()) Reject(node, "expected a mapping");
    std::set<std::string> seen;
    for (const auto& pair : node) {
      const auto key = pair.first.as<std::string>();
      if (std::find(known.begin(), known.end(), key) == known.end())
        Reject(pair.first, "unknown key `" + key + "`");
      if (!seen.insert(key).second) Reject(pair.first, "duplicate key `" + key + "`");
    }
  }

  std::vector<YAML::Node> List(const YAML::Node& parent, const char* key) const {
    const YAML::Node node = parent[key];
    if (!node) return {};
    if (!node.IsSequence()) Reject(node, "`" + std::string(key) + "` must be a list");
    return {node.begin(), node.end()};
  }

  std::string Text(const YAML::Node& parent, const char* key, bool required = true) const {
    const YAML::Node node = parent[key];
    if (!node && !required) return {};
    if (!node || !node.IsScalar() || node.Scalar().empty())
      Reject(parent, "`" + std::string(key) + "` is missing or empty");
    return node.Scalar();
  }

  template <typename T>
  T Choice(const YAML::Node& node, const std::map<std::string, T>& choices) const {
    const auto it = node.IsScalar() ? choices.find(node.Scalar()) : choices.end();
    if (it != choices.end()) return it->second;
    std::string known;
    for (const auto& [choice, value] : choices) known += (known.empty() ? "" : ", ") + choice;
    Reject(node, "expected one of: " + known);
  }

  ChannelMode Mode(const YAML::Node& node) const {
    if (node.IsScalar() && node.Scalar() == kUnimplementedMode)
      Reject(node, "channel mode `simulation` is not implemented; use `live` or `disabled`");
    return Choice(node, kModes);
  }

  template <typename T>
  std::set<T> Choices(const YAML::Node& parent, const char* key,
                      const std::map<std::string, T>& choices) const {
    std::set<T> values;
    for (const YAML::Node& node : List(parent, key)) values.insert(Choice(node, choices));
    return values;
  }

  template <typename T>
  T Number(const YAML::Node& parent, const char* key, T fallback) const {
    const YAML::Node node = parent[key];
    if (!node) return fallback;
    try {
      return node.as<T>();
    } catch (const YAML::Exception&) {
      Reject(node, "`" + std::string(key) + "` must be a number");
    }
  }

  Secret TokenFrom(const YAML::Node& parent, const char* key, bool required) const {
    const std::string file = Text(parent, key, required);
    if (file.empty()) return {};
    auto text = ReadBounded(file, kMaxTokenFile);
    if (!text)
      Reject(parent[key], "the file named by `" + std::string(key) + "` " + text.error().message);
    text->erase(text->find_last_not_of(" \t\r\n") + 1);
    if (text->empty()) Reject(parent[key], "the file named by `" + std::string(key) + "` is empty");
    return Secret(*std::move(text));
  }

  Client ReadClient(const YAML::Node& node) const {
    CheckKeys(node, {"id", "api_keys"});
    Client client{Text(node, "id"), {}};
    for (const YAML::Node& key : List(node, "api_keys")) {
      CheckKeys(key, {"prefix", "sha256", "scopes"});
      client.api_keys.push_back(
          {Text(key, "prefix"), Text(key, "sha256"), Choices(key, "scopes", kScopes)});
    }
    return client;
  }

  Account ReadAccount(const YAML::Node& node) const {
    CheckKeys(node, {"sid", "auth_token_file", "secondary_auth_token_file"});
    return {Text(node, "sid"), TokenFrom(node, "auth_token_file", false),
            TokenFrom(node, "secondary_auth_token_file", false)};
  }

  Sender ReadSender(const YAML::Node& node) const {
    CheckKeys(node, {"id", "number", "messaging_service", "account", "channels", "priorities",
                     "segments_per_second", "calls_per_second"});
    return {.id = Text(node, "id"),
            .number = Text(node, "number", false),
            .messaging_service_sid = Text(node, "messaging_service", false),
            .account_sid = Text(node, "account"),
            .channels = Choices(node, "channels", kChannels),
            .priorities = Choices(node, "priorities", kPriorities),
            .segments_per_second = Number(node, "segments_per_second", 1.0),
            .calls_per_second = Number(node, "calls_per_second", 1.0)};
  }

  Route ReadRoute(const YAML::Node& node) const {
    CheckKeys(node, {"pattern", "priority", "account"});
    return {Text(node, "pattern"), Number(node, "priority", 0), Text(node, "account")};
  }

  const std::string path_;
  std::vector<std::string> errors_;
  std::map<std::string, int> lines_;  // of entries, by id, sid or pattern
};

std::string Joined(const std::vector<std::string>& errors) {
  std::string text;
  for (const std::string& fault : errors) text += (text.empty() ? "" : "\n  ") + fault;
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
    Parser parser(path);
    RegistrySnapshot::Content content = parser.Parse(*text);
    if (!parser.errors().empty())
      return Fail(ErrorCode::kInvalidConfig, Joined(parser.errors()), "TOCSIN_REGISTRY_FILE");
    auto snapshot = RegistrySnapshot::Build(std::move(content));
    if (!snapshot) {
      const std::string name = snapshot.error().field;
      snapshot.error().message =
          parser.PlaceOf(name) + "`" + name + "`: " + snapshot.error().message;
    }
    return snapshot;
  } catch (const YAML::Exception& error) {
    return Fail(ErrorCode::kInvalidConfig,
                Place(path, error.mark.line + 1) + "not YAML: " + error.msg,
                "TOCSIN_REGISTRY_FILE");
  }
}

}  // namespace tocsin::registry_file
