#include "common/crypto/keyring.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/common/crypto/keyring_file.h"

namespace tocsin::crypto {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

constexpr WallTime kNow = FromUnixMicros(1'790'000'000'123'456);

std::string Read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class KeyringTest : public testing::Test {
 protected:
  TemporaryFolder folder;
  const std::string path = folder.File("keyring.json");
};

TEST_F(KeyringTest, LoadsWhatItSaved) {
  const Keyring made = Keyring::Generate(kNow);
  ASSERT_TRUE(made.Save(path));
  const auto loaded = Keyring::Load(path);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->Alias(), made.Alias());
  for (const KeyPurpose purpose : kKeyPurposes)
    EXPECT_EQ(loaded->Newest(purpose).View(), made.Newest(purpose).View()) << NameOf(purpose);
  EXPECT_EQ(loaded->List().front().created, std::chrono::floor<std::chrono::seconds>(kNow));
}

TEST_F(KeyringTest, GeneratesDifferentKeysForEachPurposeAndKeyring) {
  const Keyring one = Keyring::Generate(kNow);
  const Keyring two = Keyring::Generate(kNow);
  EXPECT_NE(one.Alias(), two.Alias());
  std::set<std::string_view> keys;
  for (const KeyPurpose purpose : kKeyPurposes) {
    EXPECT_TRUE(keys.insert(one.Newest(purpose).View()).second);
    EXPECT_TRUE(keys.insert(two.Newest(purpose).View()).second);
  }
}

TEST_F(KeyringTest, NeverOverwritesAFile) {
  WriteFile(path, "other data");
  const auto saved = Keyring::Generate(kNow).Save(path);
  ASSERT_FALSE(saved);
  EXPECT_THAT(saved.error().message, HasSubstr("never overwritten"));
  EXPECT_EQ(Read(path), "other data");
}

TEST_F(KeyringTest, WritesAFileThatOnlyItsOwnerCanRead) {
  ::umask(0);
  ASSERT_TRUE(Keyring::Generate(kNow).Save(path));
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  ::umask(022);
}

TEST_F(KeyringTest, RefusesAFileThatOthersCanAccess) {
  for (const mode_t mode : {0640, 0604, 0660, 0601}) {
    WriteFile(path, KnownKeyring(), mode);
    const auto loaded = Keyring::Load(path);
    ASSERT_FALSE(loaded) << mode;
    EXPECT_EQ(loaded.error().code, ErrorCode::kInvalidConfig);
    EXPECT_THAT(loaded.error().message, HasSubstr("chmod 600 " + path));
  }
}

// As Kubernetes mounts a Secret for a process that is not root. Only root can make such a file.
TEST_F(KeyringTest, AcceptsAFileOfRootThatOnlyTheGroupCanRead) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make a file of root";
  constexpr uid_t kUser = 65532;
  ASSERT_EQ(::chmod(std::filesystem::path(path).parent_path().c_str(), 0711), 0);
  const auto load_as_user = [&](mode_t mode) {
    WriteFile(path, KnownKeyring(), mode);
    EXPECT_EQ(::chown(path.c_str(), 0, kUser), 0);
    EXPECT_EQ(::setegid(kUser), 0);
    EXPECT_EQ(::seteuid(kUser), 0);
    const bool loaded = Keyring::Load(path).has_value();
    EXPECT_EQ(::seteuid(0), 0);
    EXPECT_EQ(::setegid(0), 0);
    return loaded;
  };
  EXPECT_TRUE(load_as_user(0440));
  EXPECT_TRUE(load_as_user(0640));
  for (const mode_t mode : {0660, 0650, 0644, 0641}) EXPECT_FALSE(load_as_user(mode)) << mode;
}

TEST_F(KeyringTest, NamesTheCommandThatCreatesAMissingFile) {
  const auto loaded = Keyring::Load(path);
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message, HasSubstr("tocsin keyring init"));
}

TEST_F(KeyringTest, RefusesAFolderAndAHugeFile) {
  EXPECT_FALSE(Keyring::Load(folder.File("")));
  WriteFile(path, std::string(kMaxKeyringFile + 1, ' '));
  const auto loaded = Keyring::Load(path);
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message, HasSubstr("larger than"));
}

struct BadFile {
  const char* name;
  std::function<void(json&)> change;
  const char* message;
};

class BadKeyringTest : public KeyringTest, public testing::WithParamInterface<BadFile> {};

TEST_P(BadKeyringTest, IsRefusedWithTheErrorAndWithoutAKey) {
  json file = json::parse(KnownKeyring());
  GetParam().change(file);
  WriteFile(path, file.dump());
  const auto loaded = Keyring::Load(path);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::kInvalidConfig);
  EXPECT_THAT(loaded.error().message,
              AllOf(HasSubstr(GetParam().message), Not(HasSubstr("S0tLS0t"))));
}

const json kSecond = json::parse(KnownKeyring())["keys"]["kek"][0];

INSTANTIATE_TEST_SUITE_P(
    Malformed, BadKeyringTest,
    testing::Values(
        BadFile{"AnArray", [](json& f) { f = json::array(); }, "is not a keyring"},
        BadFile{"NoKeys", [](json& f) { f.erase("keys"); }, "is not a keyring"},
        BadFile{"AnotherFormat", [](json& f) { f["format"] = 2; }, "`format`"},
        BadFile{"NoAlias", [](json& f) { f.erase("kek_alias"); }, "`kek_alias`"},
        BadFile{"OddAlias", [](json& f) { f["kek_alias"] = "a b"; }, "`kek_alias`"},
        BadFile{"NoToken", [](json& f) { f["keys"].erase("token"); }, "no key for `token`"},
        BadFile{"EmptyList", [](json& f) { f["keys"]["kek"].clear(); }, "no key for `kek`"},
        BadFile{"VersionZero", [](json& f) { f["keys"]["kek"][0]["version"] = 0; }, "`version`"},
        BadFile{"VersionText", [](json& f) { f["keys"]["kek"][0]["version"] = "1"; }, "`version`"},
        BadFile{"VersionTwice", [](json& f) { f["keys"]["kek"].push_back(kSecond); },
                "ascending order"},
        BadFile{"EntryNoObject", [](json& f) { f["keys"]["kek"][0] = 7; }, "`version`"},
        BadFile{"NoTime", [](json& f) { f["keys"]["kek"][0].erase("created"); }, "`created`"},
        BadFile{"ShortKey", [](json& f) { f["keys"]["kek"][0]["key"] = "S0tL"; }, "32 bytes"},
        BadFile{"NoBase64", [](json& f) { f["keys"]["kek"][0]["key"] = "!"; }, "32 bytes"}),
    [](const auto& row) { return row.param.name; });

TEST_F(KeyringTest, RotatesTheKeyEncryptionKey) {
  Keyring keyring = Keyring::Generate(kNow);
  ASSERT_TRUE(keyring.Save(path));
  ASSERT_TRUE(keyring.Rotate(KeyPurpose::kKek, kNow));
  ASSERT_TRUE(keyring.Replace(path));
  const auto loaded = Keyring::Load(path);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->NewestVersion(KeyPurpose::kKek), 2U);
  EXPECT_NE(loaded->Find(KeyPurpose::kKek, 1), nullptr);
  EXPECT_EQ(loaded->Find(KeyPurpose::kKek, 3), nullptr);
  EXPECT_THAT(loaded->List(), SizeIs(5));
  EXPECT_FALSE(loaded->List()[0].active);
  EXPECT_TRUE(loaded->List()[1].active);
}

TEST_F(KeyringTest, RefusesToRotateTokenAndDigestKeys) {
  Keyring keyring = Keyring::Generate(kNow);
  for (const KeyPurpose purpose : {KeyPurpose::kToken, KeyPurpose::kDigest}) {
    const auto rotated = keyring.Rotate(purpose, kNow);
    ASSERT_FALSE(rotated);
    EXPECT_EQ(rotated.error().code, ErrorCode::kUnimplemented);
  }
}

}  // namespace
}  // namespace tocsin::crypto
