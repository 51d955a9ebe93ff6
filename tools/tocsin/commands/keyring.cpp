// tocsin keyring: the file of keys.
#include <chrono>
#include <iostream>

#include "common/crypto/keyring.h"
#include "tools/tocsin/command.h"
#include "tools/tocsin/options.h"

namespace tocsin::cli {
namespace {

constexpr const char* kVariable = "TOCSIN_KEYRING_FILE";

WallTime Now() { return std::chrono::time_point_cast<Micros>(std::chrono::system_clock::now()); }

// 2026-01-31T12:00:00Z
std::string TimeText(WallTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

int Init(const std::string& path, const Common& common) {
  const Status saved = crypto::Keyring::Generate(Now()).Save(path);
  if (!saved) return Report(saved.error());
  if (common.json) {
    PrintJson({{"keyring", path}});
  } else {
    std::cout << "keyring created: " << path
              << "\nKeep a copy: data that it encrypts cannot be read without it.\n";
  }
  return kDone;
}

int List(const std::string& path, const Common& common) {
  const auto keyring = crypto::Keyring::Load(path);
  if (!keyring) return Report(keyring.error());
  auto rows = nlohmann::json::array();
  for (const crypto::KeyListing& key : keyring->List()) {
    if (common.json) {
      rows.push_back({{"purpose", crypto::NameOf(key.purpose)},
                      {"version", key.version},
                      {"create_time", TimeText(key.created)},
                      {"active", key.active}});
    } else {
      std::cout << crypto::NameOf(key.purpose) << "  version " << key.version << "  "
                << TimeText(key.created) << (key.active ? "  active" : "  decrypts only") << '\n';
    }
  }
  if (common.json) PrintJson(rows);
  return kDone;
}

// Each verb has a path of its own: CLI11 applies the environment to all verbs, whichever was given.
void AddVerb(CLI::App& parent, const char* verb, const char* help, const std::string& flag,
             const char* flag_help, Action& action, int (*run)(const std::string&, const Common&)) {
  const auto path = std::make_shared<std::string>();
  CLI::App& command = *parent.add_subcommand(verb, help);
  command.add_option(flag, *path, flag_help)->envname(kVariable)->type_name(kFile);
  command.callback([path, flag, &action, run] {
    action = [path, flag, run](const Common& common) {
      if (!path->empty()) return run(*path, common);
      return ReportMisuse({.code = ErrorCode::kInvalidArgument,
                           .message = std::string("is required; or set ") + kVariable,
                           .field = flag});
    };
  });
}

}  // namespace

void AddKeyring(CLI::App& app, Action& action) {
  CLI::App& keyring = *app.add_subcommand("keyring", "manage the file of keys");
  keyring.require_subcommand(1);
  AddVerb(keyring, "init", "create a keyring; never overwrites a file", "--out",
          "file to create, mode 0600", action, Init);
  AddVerb(keyring, "list", "list purposes and versions, never keys", "--file", "the keyring",
          action, List);
}

}  // namespace tocsin::cli
