#include "common/registry_file/registry_file.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace tocsin::registry_file {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kValid = R"(clients:
  - id: demo
    api_keys:
      - prefix: "12345678"
        sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        scopes: [send, status]
accounts:
  - sid: AC1
senders:
  - id: main
    number: "+15005550006"
    account: AC1
    channels: [sms]
    priorities: [normal]
routes:
  - pattern: ".*"
    account: AC1
)";

class RegistryFileTest : public testing::Test {
 protected:
  RegistryFileTest() {
    std::string name = (std::filesystem::temp_directory_path() / "registry.XXXXXX").string();
    folder_ = mkdtemp(name.data());
    path_ = folder_ / "registry.yaml";
  }
  ~RegistryFileTest() override { std::filesystem::remove_all(folder_); }

  // The error message for the valid file with `from` replaced by `to`; empty if it loads.
  std::string ErrorWith(const std::string& from, const std::string& to) {
    std::string text = kValid;
    text.replace(text.find(from), from.size(), to);
    return ErrorOf(text);
  }
  std::string ErrorOf(const std::string& text) {
    std::ofstream(path_) << text;
    const auto loaded = Load(path_);
    return loaded ? "" : loaded.error().message;
  }
  std::string At(int line) { return path_.string() + ":" + std::to_string(line) + ": "; }

  std::filesystem::path folder_;
  std::filesystem::path path_;
};

TEST_F(RegistryFileTest, LoadsAValidFile) {
  std::ofstream(path_) << kValid;
  const auto loaded = Load(path_);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ((*loaded)->All().senders.at(0).id, "main");
}

TEST_F(RegistryFileTest, NamesTheLineOfEveryInvalidEntry) {
  const std::string error = ErrorOf(R"(clients:
  - id: demo
    keys: []
accounts:
  - token: hunter2
senders:
  - id: main
    account: AC1
    channels: [pigeon]
  - id: other
    account: AC1
    segments_per_second: many
routes: all
colour: red
)");
  EXPECT_THAT(error, AllOf(HasSubstr(At(3) + "unknown key `keys`"), HasSubstr(At(5)),
                           HasSubstr(At(9) + "expected one of: sms, voice"),
                           HasSubstr(At(12) + "`segments_per_second` must be a number"),
                           HasSubstr(At(13) + "`routes` must be a list"),
                           HasSubstr(At(14) + "unknown key `colour`"), Not(HasSubstr("hunter2"))));
}

TEST_F(RegistryFileTest, NamesTheLineOfAnEntryThatDoesNotFitAnotherEntry) {
  EXPECT_THAT(ErrorWith("account: AC1\n    channels", "account: AC2\n    channels"),
              HasSubstr(At(10) + "`main`: unknown account"));
  EXPECT_THAT(ErrorWith("pattern: \".*\"", "pattern: \"(\""), HasSubstr(At(16) + "`(`"));
}

TEST_F(RegistryFileTest, RefusesTheModeSimulationWithItsLine) {
  for (const char* channel : {"sms", "voice"})
    EXPECT_EQ(ErrorOf(std::string(kValid) + "channels: {" + channel + ": simulation}\n"),
              At(18) + "channel mode `simulation` is not implemented; use `live` or `disabled`");
}

TEST_F(RegistryFileTest, NamesNoLineZero) {
  for (const std::string text : {"", "# only a comment\n", "---\n", "~\n", "clients:\n  -\n",
                                 "clients: {}\n", "clients: [~]\n", "channels:\n",
                                 "channels: {sms: }\n", "senders:\n  - id:\n", "\t\n", "a: *b\n"})
    EXPECT_THAT(ErrorOf(text), Not(HasSubstr(":0:"))) << text;
}

TEST_F(RegistryFileTest, NamesAFileThatCannotBeReadOrIsNotYaml) {
  EXPECT_THAT(Load(path_ / "nothing").error().message,
              HasSubstr("cannot be read: No such file or directory"));
  EXPECT_THAT(ErrorOf("clients: [\n"), HasSubstr("not YAML"));
  EXPECT_THAT(ErrorOf("just a word\n"), HasSubstr(At(1) + "expected a mapping"));
  EXPECT_EQ(ErrorOf(""), path_.string() + ": expected a mapping");
}

}  // namespace
}  // namespace tocsin::registry_file
