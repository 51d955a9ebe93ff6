#include <chrono>
#include <iostream>

#include "common/crypto/keyring.h"
#include "tools/tocsin/command.h"

namespace tocsin::cli {
namespace {

WallTime Now() { return std::chrono::time_point_cast<Micros>(std::chrono::system_clock::now()); }

int Init(const std::string& path, const Common& common) {
  const auto saved = crypto::Keyring::Generate(Now()).Save(path);
  if (!saved) return Report(saved.error());
  if (common.json) {
    PrintJson({{"keyring", path}});
  } else {
    std::cout << "new keys in " << path
              << "; without this file nothing that is sealed can be read\n";
  }
  return kDone;
}

int List(const std::string& path, const Common& common) {
  const auto keyring = crypto::Keyring::Load(path);
  if (!keyring) return Report(keyring.error());
  auto rows = nlohmann::json::array();
  for (const crypto::KeyListing& key : keyring->List()) {
    const auto created =
        std::chrono::duration_cast<std::chrono::seconds>(key.created.time_since_epoch()).count();
    if (common.json) {
      rows.push_back({{"purpose", crypto::NameOf(key.purpose)},
                      {"version", key.version},
                      {"created_unix_seconds", created},
                      {"active", key.active}});
    } else {
      std::cout << crypto::NameOf(key.purpose) << "  version " << key.version
                << (key.active ? "  active" : "  reads only") << '\n';
    }
  }
  if (common.json) PrintJson(rows);
  return kDone;
}

}  // namespace

void AddKeyring(CLI::App& app, Action& action) {
  CLI::App& keyring = *app.add_subcommand("keyring", "the file of keys");
  keyring.require_subcommand(1);
  const auto path = std::make_shared<std::string>();
  CLI::App& init = *keyring.add_subcommand("init", "make a new keyring; never overwrites one");
  init.add_option("--out", *path, "file to be made, mode 0600")
      ->envname("TOCSIN_KEYRING_FILE")
      ->required();
  init.callback(
      [path, &action] { action = [path](const Common& common) { return Init(*path, common); }; });
  CLI::App& list = *keyring.add_subcommand("list", "purposes and versions, never keys");
  list.add_option("--file", *path, "the keyring")->envname("TOCSIN_KEYRING_FILE")->required();
  list.callback(
      [path, &action] { action = [path](const Common& common) { return List(*path, common); }; });
}

}  // namespace tocsin::cli
