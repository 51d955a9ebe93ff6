#include "common/crypto/keyring.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <utility>

#include "common/base/digest.h"
#include "common/base/encoding.h"

namespace tocsin::crypto {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;
constexpr size_t kMaxAlias = 64;  // characters

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

// Text that contains keys. Overwritten when it is destroyed.
struct KeyText {
  std::string text;
  ~KeyText() { Cleanse(text.data(), text.size()); }
};

tl::unexpected<Error> InvalidKeyring(const std::string& path, const std::string& problem) {
  return Fail(ErrorCode::kInvalidConfig, "keyring " + path + ": " + problem, "keyring");
}
tl::unexpected<Error> SystemError(const std::string& path, const std::string& problem) {
  return InvalidKeyring(path, problem + ": " + std::generic_category().message(errno));
}

std::string ToText(WallTime time) {  // RFC 3339, UTC, whole seconds
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text.data();
}

std::optional<WallTime> ToTime(const std::string& text) {
  std::tm utc{};
  const char* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return WallTime(std::chrono::seconds(::timegm(&utc)));
}

bool IsAlias(std::string_view text) {
  return !text.empty() && text.size() <= kMaxAlias && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '/';
  });
}

// Kubernetes mounts the files of a Secret as root's, readable by the group of the process: another
// process of that group is of the same pod. A file of the process itself, or of another user, must
// be closed to the group.
bool IsPrivate(const struct stat& status) {
  const bool of_root = status.st_uid == 0 && ::geteuid() != 0;
  const mode_t others = of_root ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;
  return (status.st_mode & others) == 0;
}

Status ReadOwnFile(const std::string& path, std::string& text) {
  // O_NONBLOCK: without it, opening a FIFO that has no writer blocks.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.number() < 0) {
    if (errno == ENOENT)
      return InvalidKeyring(path, "not found; create one with `tocsin keyring init`");
    return SystemError(path, "cannot be read");
  }
  struct stat status {};
  if (::fstat(file.number(), &status) != 0) return SystemError(path, "cannot be read");
  if (!S_ISREG(status.st_mode)) return InvalidKeyring(path, "is not a regular file");
  if (!IsPrivate(status))
    return InvalidKeyring(path, "is accessible to group or others; fix: `chmod 600 " + path + "`");
  if (status.st_size > static_cast<off_t>(kMaxKeyringFile))
    return InvalidKeyring(path, "is larger than " + std::to_string(kMaxKeyringFile) + " bytes");
  text.resize(static_cast<size_t>(status.st_size));
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = ::read(file.number(), text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError(path, "cannot be read");
    if (count == 0) break;
    done += static_cast<size_t>(count);
  }
  text.resize(done);
  return {};
}

Status WriteAndSync(const std::string& path, std::string_view text) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.number() < 0) {
    if (errno == EEXIST) return InvalidKeyring(path, "already exists and is never overwritten");
    return SystemError(path, "cannot be created");
  }
  while (!text.empty()) {
    const ssize_t count = ::write(file.number(), text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const auto error = SystemError(path, "cannot be written");
      ::unlink(path.c_str());
      return error;
    }
    text.remove_prefix(static_cast<size_t>(count));
  }
  if (::fsync(file.number()) != 0) {
    const auto error = SystemError(path, "cannot be synced to disk");
    ::unlink(path.c_str());
    return error;
  }
  return {};
}

// The name of a new file is on disk only after its directory was synced.
Status SyncDirectoryOf(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Descriptor parent(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent.number() < 0 || ::fsync(parent.number()) != 0)
    return SystemError(path, "its directory cannot be synced to disk");
  return {};
}

}  // namespace

std::string_view NameOf(KeyPurpose purpose) {
  switch (purpose) {
    case KeyPurpose::kKek: return "kek";
    case KeyPurpose::kToken: return "token";
    case KeyPurpose::kDigest: return "digest";
    case KeyPurpose::kCallback: return "callback";
  }
  return "";
}

struct Keyring::Codec {
  static std::string Write(const Keyring& keyring) {
    json keys = json::object();
    for (const KeyPurpose purpose : kKeyPurposes) {
      json& versions = keys[std::string(NameOf(purpose))] = json::array();
      for (const Version& version : keyring.Of(purpose))
        versions.push_back({{"version", version.number},
                            {"created", ToText(version.created)},
                            {"key", Base64Encode(version.key.View())}});
    }
    json file = {{"format", kFormat}, {"kek_alias", keyring.alias_}, {"keys", std::move(keys)}};
    std::string text = file.dump(2) + "\n";
    CleanseKeys(file["keys"]);
    return text;
  }

  static Result<Keyring> Read(const std::string& path, const std::string& text) {
    json file = json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!file.is_object() || !file.contains("keys") || !file["keys"].is_object())
      return InvalidKeyring(path, "is not a keyring (JSON with `format`, `kek_alias`, `keys`)");
    auto keyring = ReadParts(path, file);
    CleanseKeys(file["keys"]);
    return keyring;
  }

 private:
  static Result<Keyring> ReadParts(const std::string& path, const json& file) {
    if (file.value("format", json()) != json(kFormat))
      return InvalidKeyring(path, "unsupported `format`; expected 1");
    const json alias = file.value("kek_alias", json());
    if (!alias.is_string() || !IsAlias(alias.get_ref<const std::string&>()))
      return InvalidKeyring(path, "`kek_alias` must be 1 to 64 of a-z, 0-9, `-`, `_`, `/`");
    Keyring keyring;
    keyring.alias_ = alias.get<std::string>();
    for (const KeyPurpose purpose : kKeyPurposes) {
      const std::string name(NameOf(purpose));
      const auto versions = file["keys"].find(name);
      if (versions == file["keys"].end() || !versions->is_array() || versions->empty())
        return InvalidKeyring(path, "has no key for `" + name + "`");
      if (versions->size() > kMaxKeyVersions)
        return InvalidKeyring(path, "has more than 64 versions of `" + name + "`");
      for (const json& entry : *versions) {
        TOCSIN_TRY(Version version, ReadVersion(path, name, entry));
        auto& list = keyring.keys_[static_cast<size_t>(purpose)];
        if (!list.empty() && list.back().number >= version.number)
          return InvalidKeyring(path, "the versions of `" + name + "` must be in ascending order");
        list.push_back(std::move(version));
      }
    }
    return keyring;
  }

  static Result<Version> ReadVersion(const std::string& path, const std::string& name,
                                     const json& entry) {
    const auto text = [&](const char* member) {
      const auto found = entry.is_object() ? entry.find(member) : entry.end();
      return entry.is_object() && found != entry.end() && found->is_string()
                 ? found->get<std::string>()
                 : std::string();
    };
    Version version;
    const json number = entry.is_object() ? entry.value("version", json()) : json();
    if (!number.is_number_unsigned() || number.get<std::uint64_t>() == 0 ||
        number.get<std::uint64_t>() > UINT32_MAX)
      return InvalidKeyring(path, "a key of `" + name + "` has no `version` of 1 or more");
    version.number = number.get<std::uint32_t>();
    const auto created = ToTime(text("created"));
    if (!created)
      return InvalidKeyring(
          path, "a key of `" + name + "` has no `created` such as 2026-01-31T12:00:00Z");
    version.created = *created;
    KeyText encoded{text("key")};
    auto key = Base64Decode(encoded.text);
    if (!key || key->size() != kKeyBytes)
      return InvalidKeyring(path, "a key of `" + name + "` is not 32 bytes in base64");
    const KeyText decoded{std::move(*key)};
    std::memcpy(version.key.data(), decoded.text.data(), kKeyBytes);
    return version;
  }

  // The JSON library does not overwrite the strings that it frees.
  static void CleanseKeys(json& keys) {
    for (json& versions : keys) {
      if (!versions.is_array()) continue;
      for (json& version : versions) {
        if (!version.is_object() || !version.contains("key") || !version["key"].is_string())
          continue;
        auto& text = version["key"].get_ref<std::string&>();
        Cleanse(text.data(), text.size());
      }
    }
  }
};

Result<Keyring> Keyring::Load(const std::string& path) {
  KeyText file;
  TOCSIN_CHECK_OK(ReadOwnFile(path, file.text));
  return Codec::Read(path, file.text);
}

Keyring Keyring::Generate(WallTime now) {
  Keyring keyring;
  keyring.alias_ = "local-" + HexEncode(RandomBytes(4));
  for (const KeyPurpose purpose : kKeyPurposes) keyring.Add(purpose, 1, now);
  return keyring;
}

void Keyring::Add(KeyPurpose purpose, std::uint32_t number, WallTime now) {
  Version version;
  version.number = number;
  version.created = std::chrono::floor<std::chrono::seconds>(now);
  std::string random = RandomBytes(kKeyBytes);
  std::memcpy(version.key.data(), random.data(), kKeyBytes);
  Cleanse(random.data(), random.size());
  keys_[static_cast<size_t>(purpose)].push_back(std::move(version));
}

Status Keyring::Save(const std::string& path) const {
  const KeyText file{Codec::Write(*this)};
  TOCSIN_CHECK_OK(WriteAndSync(path, file.text));
  return SyncDirectoryOf(path);
}

Status Keyring::Replace(const std::string& path) const {
  const KeyText file{Codec::Write(*this)};
  const std::string next = path + ".next";
  ::unlink(next.c_str());  // left over from an interrupted rotation
  TOCSIN_CHECK_OK(WriteAndSync(next, file.text));
  if (::rename(next.c_str(), path.c_str()) != 0) return SystemError(path, "cannot be replaced");
  return SyncDirectoryOf(path);
}

Status Keyring::Rotate(KeyPurpose purpose, WallTime now) {
  if (purpose == KeyPurpose::kToken || purpose == KeyPurpose::kDigest)
    return Fail(ErrorCode::kUnimplemented,
                "keyring: rotating `" + std::string(NameOf(purpose)) +
                    "` is not implemented: records of the old version would not be found",
                "purpose");
  if (Of(purpose).size() >= kMaxKeyVersions)
    return Fail(ErrorCode::kTooManyItems, "keyring: more than 64 versions", "purpose");
  Add(purpose, NewestVersion(purpose) + 1, now);
  return {};
}

std::vector<KeyListing> Keyring::List() const {
  std::vector<KeyListing> list;
  for (const KeyPurpose purpose : kKeyPurposes)
    for (const Version& version : Of(purpose))
      list.push_back(
          {purpose, version.number, version.created, version.number == NewestVersion(purpose)});
  return list;
}

std::uint32_t Keyring::NewestVersion(KeyPurpose purpose) const { return Of(purpose).back().number; }

const KeyBytes& Keyring::Newest(KeyPurpose purpose) const { return Of(purpose).back().key; }

const KeyBytes* Keyring::Find(KeyPurpose purpose, std::uint32_t version) const {
  const auto& list = Of(purpose);
  const auto found = std::ranges::find(list, version, &Version::number);
  return found == list.end() ? nullptr : &found->key;
}

std::vector<const KeyBytes*> Keyring::Versions(KeyPurpose purpose) const {
  std::vector<const KeyBytes*> keys;
  for (auto version = Of(purpose).rbegin(); version != Of(purpose).rend(); ++version)
    keys.push_back(&version->key);
  return keys;
}

}  // namespace tocsin::crypto
