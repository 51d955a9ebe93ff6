#include "common/config/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace tocsin::config {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr const char* kPlanted = "hunter2-planted-secret";

class ReaderTest : public testing::Test {
 protected:
  ReaderTest() {
    std::string pattern = testing::TempDir() + "config_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~ReaderTest() override { std::filesystem::remove_all(folder_); }

  std::string File(const std::string& name, const std::string& content, mode_t mode = 0600) {
    const std::string path = folder_ + '/' + name;
    std::ofstream(path, std::ios::binary) << content;
    ::chmod(path.c_str(), mode);
    return path;
  }

  Reader With(std::vector<std::string> words, std::map<std::string, std::string> variables = {}) {
    std::vector<const char*> argv{"/usr/bin/tocsin-test"};
    for (const std::string& word : words) argv.push_back(word.c_str());
    return Reader(ParseCommandLine(static_cast<int>(argv.size()), argv.data(), "A test."),
                  [variables](const std::string& name) -> std::optional<std::string> {
                    const auto entry = variables.find(name);
                    if (entry == variables.end()) return std::nullopt;
                    return entry->second;
                  });
  }

  std::string folder_;
};

TEST_F(ReaderTest, NamesEveryFaultAtOnceWithItsPlaceAndItsFix) {  // O4
  const std::string file =
      File("t.yaml", "kafka:\n  bootstrap: x\nkafka_botstrap: y\nsenders: many\nsenders: 3\n");
  Reader reader = With({"--config", file, "--drain", "soon", "--colour", "red"},
                       {{"TOCSIN_OPS", "nowhere"}, {"TOCSIN_TOKEN_FILE", folder_ + "/missing"}});
  reader.HostPort("TOCSIN_OPS", "operations").Default(Address{"127.0.0.1", 0});
  reader.Text("TOCSIN_KAFKA_BOOTSTRAP", "brokers").Required();
  reader.Integer("TOCSIN_SENDERS", "senders", 1, 1000).Default(100);
  reader.Duration("TOCSIN_DRAIN", "drain").Default(milliseconds(25'000));
  reader.SecretText("TOCSIN_TOKEN", "token").Required();
  reader.Text("TOCSIN_NAME", "name").Required();

  const Status status = reader.Finish();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kInvalidConfig);
  const std::string& report = status.error().message;
  EXPECT_THAT(report, HasSubstr("8 faults"));
  EXPECT_THAT(report, HasSubstr("senders (" + file + ":5) is given twice, first in line 4"));
  EXPECT_THAT(report, HasSubstr("TOCSIN_OPS (TOCSIN_OPS) has no port"));
  EXPECT_THAT(report, HasSubstr("TOCSIN_SENDERS (" + file + ":4) is not a whole number"));
  EXPECT_THAT(report, HasSubstr("TOCSIN_DRAIN (--drain) is not a duration"));
  EXPECT_THAT(report, HasSubstr("TOCSIN_TOKEN (TOCSIN_TOKEN_FILE) names a file that cannot be"));
  EXPECT_THAT(report, HasSubstr("TOCSIN_NAME is required and not given"));
  EXPECT_THAT(report, HasSubstr("--colour"));
  EXPECT_THAT(report, HasSubstr("kafka_botstrap (" + file + ":3) is not a setting"));
  EXPECT_THAT(report, HasSubstr("did you mean kafka_bootstrap?"));
}

TEST_F(ReaderTest, NoReportHoldsAValue) {  // P7
  const std::string file =
      File("t.yaml", std::string("ops: ") + kPlanted + "\nname: [{" + kPlanted +
                         ": 1}]\npostgres_url: http://u:" + kPlanted + "@h\n");
  Reader reader = With({"--config", file, "--token", kPlanted, std::string("--drain=") + kPlanted,
                        kPlanted, "--check-config"},
                       {{"TOCSIN_MODE", kPlanted}, {"TOCSIN_COUNT", kPlanted}});
  reader.HostPort("TOCSIN_OPS", "operations").Required();
  reader.Text("TOCSIN_NAME", "name").Required();
  reader.SecretUrl("TOCSIN_POSTGRES_URL", "database", {"postgresql"}).Required();
  reader.SecretText("TOCSIN_TOKEN", "token").Required();
  reader.Duration("TOCSIN_DRAIN", "drain").Required();
  reader.Choice("TOCSIN_MODE", "mode", {"live"}).Required();
  reader.Integer("TOCSIN_COUNT", "count", 0, 1).Required();
  std::ostringstream out, error;
  EXPECT_EQ(reader.Conclude(out, error), kExitWrongUse);
  EXPECT_GE(reader.faults().size(), 8u);
  EXPECT_THAT(out.str() + error.str(), Not(HasSubstr(kPlanted)));
}

TEST_F(ReaderTest, AMissingConfigFileIsAFault) {
  Reader reader = With({"--config", folder_ + "/none.yaml"});
  EXPECT_THAT(reader.Finish().error().message, HasSubstr("No such file"));
}

TEST_F(ReaderTest, FlagOutranksEnvironmentOutranksFileOutranksDefault) {  // O4
  const std::string file = File("t.yaml", "a: file\nb: file\nc: file\n");
  Reader reader =
      With({"--config", file, "--a", "flag"}, {{"TOCSIN_A", "env"}, {"TOCSIN_B", "env"}});
  EXPECT_EQ(reader.Text("TOCSIN_A", "").Default("default"), "flag");
  EXPECT_EQ(reader.Text("TOCSIN_B", "").Default("default"), "env");
  EXPECT_EQ(reader.Text("TOCSIN_C", "").Default("default"), "file");
  EXPECT_EQ(reader.Text("TOCSIN_D", "").Default("default"), "default");
  EXPECT_EQ(reader.Text("TOCSIN_E", "").Optional(), std::nullopt);
  EXPECT_TRUE(reader.Finish());
  std::vector<std::string> sources;
  for (const SettingSource& entry : reader.sources())
    sources.push_back(entry.name + " " + std::string(NameOf(entry.source)));
  EXPECT_THAT(sources, ElementsAre("TOCSIN_A flag", "TOCSIN_B environment", "TOCSIN_C file",
                                   "TOCSIN_D default", "TOCSIN_E unset"));
  EXPECT_EQ(reader.sources()[2].place, file + ":3");
}

TEST_F(ReaderTest, UnknownNamesInTheEnvironmentAndEmptyValuesAreNoFault) {
  Reader reader = With({}, {{"TOCSIN_OF_ANOTHER_SERVICE", "x"}, {"TOCSIN_A", ""}});
  EXPECT_EQ(reader.Text("TOCSIN_A", "").Default("default"), "default");
  EXPECT_TRUE(reader.Finish());
}

TEST_F(ReaderTest, AliasIsAskedAfterTheNameItself) {  // O4: the originals' names
  const std::map<std::string, std::string> both{{"TWILIO_FROM", "alias"}, {"TOCSIN_FROM", "own"}};
  EXPECT_EQ(With({}, both).Text("TOCSIN_FROM", "").Alias("TWILIO_FROM").Required(), "own");
  Reader reader = With({}, {{"TWILIO_FROM", "alias"}});
  EXPECT_EQ(reader.Text("TOCSIN_FROM", "").Alias("TWILIO_FROM").Required(), "alias");
  EXPECT_EQ(reader.sources()[0].place, "TWILIO_FROM");
}

TEST_F(ReaderTest, SettingsOfOtherProgramsMayBeIgnoredInASharedFile) {
  Reader reader = With({"--config", File("t.yaml", "other: 1\n")});
  reader.Ignore("TOCSIN_OTHER");
  EXPECT_TRUE(reader.Finish());
}

TEST_F(ReaderTest, SecretComesFromItsFileWithoutTheLineEnd) {
  const std::string path = File("token", std::string(kPlanted) + "\n");
  Reader reader = With({}, {{"TOCSIN_TOKEN_FILE", path}});
  EXPECT_EQ(reader.SecretText("TOCSIN_TOKEN", "").Required().Reveal(), kPlanted);
  EXPECT_TRUE(reader.Finish());
  EXPECT_THAT(reader.warnings(), IsEmpty());
}

TEST_F(ReaderTest, ASecretFileOpenToOthersIsWarnedOf) {
  const std::string path = File("token", kPlanted, 0644);
  Reader reader = With({"--token-file", path});
  EXPECT_EQ(reader.SecretText("TOCSIN_TOKEN", "").Required().Reveal(), kPlanted);
  EXPECT_TRUE(reader.Finish());
  ASSERT_THAT(reader.warnings(), SizeIs(1));
  EXPECT_THAT(reader.warnings()[0], AllOf(HasSubstr("chmod 600"), Not(HasSubstr(kPlanted))));
}

TEST_F(ReaderTest, ABadSecretFileIsAFault) {
  const std::string pipe = folder_ + "/pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& path :
       {File("empty", ""), File("blank", "\n"), File("nul", std::string("a\0b", 3)),
        File("lines", "a\nb\n"), File("large", std::string(kValueLimit * 8, 'x')), pipe, folder_}) {
    Reader reader = With({}, {{"TOCSIN_TOKEN_FILE", path}});
    EXPECT_TRUE(reader.SecretText("TOCSIN_TOKEN", "").Required().empty());
    EXPECT_THAT(reader.faults(), SizeIs(1)) << path;
  }
}

TEST_F(ReaderTest, ASecretGivenTwiceAtOnePlaceIsAFault) {
  Reader reader = With({}, {{"TOCSIN_TOKEN", "x"}, {"TOCSIN_TOKEN_FILE", File("token", "y")}});
  reader.SecretText("TOCSIN_TOKEN", "").Required();
  ASSERT_THAT(reader.faults(), SizeIs(1));
  EXPECT_THAT(reader.faults()[0].reason, HasSubstr("both"));
}

TEST_F(ReaderTest, FlagsAreGivenOnceWithAValue) {
  Reader reader = With({"--a", "1", "--a=2", "--b"});
  reader.Text("TOCSIN_A", "").Optional();
  reader.Text("TOCSIN_B", "").Optional();
  EXPECT_THAT(reader.Finish().error().message,
              AllOf(HasSubstr("2 faults"), HasSubstr("--a (command line) is given twice"),
                    HasSubstr("--b (command line) has no value")));
}

TEST_F(ReaderTest, AFaultThatTheServiceSeesHasItsPlace) {  // O4
  Reader reader = With({"--lease", "1s"});
  reader.Duration("TOCSIN_LEASE", "how long a claim holds").Default(milliseconds(35'000));
  reader.AddFault("TOCSIN_LEASE", "is too short", "make it longer");
  const Status status = reader.Finish();
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("TOCSIN_LEASE (--lease) is too short"));
}

TEST_F(ReaderTest, CheckConfigShowsSourcesAndNeverValues) {
  Reader reader = With({"--check-config"}, {{"TOCSIN_A", kPlanted}});
  reader.Text("TOCSIN_A", "").Required();
  std::ostringstream out, error;
  EXPECT_EQ(reader.Conclude(out, error), kExitDone);
  EXPECT_THAT(out.str(), AllOf(HasSubstr("valid"), HasSubstr("TOCSIN_A: environment"),
                               Not(HasSubstr(kPlanted))));
}

TEST_F(ReaderTest, HelpListsEverySettingAndLeavesWithZeroThoughSomeAreMissing) {
  Reader reader = With({"--help"});
  reader.Text("TOCSIN_KAFKA_BOOTSTRAP", "Kafka brokers").Required();
  reader.SecretText("TOCSIN_TOKEN", "a token").Default(Secret(kPlanted));
  reader.Duration("TOCSIN_DRAIN", "time to finish").Default(milliseconds(25'000));
  std::ostringstream out, error;
  EXPECT_EQ(reader.Conclude(out, error), kExitDone);
  EXPECT_THAT(out.str(),
              AllOf(HasSubstr("A test."), HasSubstr("--check-config"),
                    HasSubstr("Kafka brokers (required)"), HasSubstr("(default 25s)"),
                    HasSubstr("TOCSIN_TOKEN or TOCSIN_TOKEN_FILE"), Not(HasSubstr(kPlanted))));
  EXPECT_THAT(error.str(), IsEmpty());
}

TEST_F(ReaderTest, VersionAndAWrongFlagOfOursEndTheProgram) {
  const char* version[] = {"tocsin-test", "--version"};
  testing::internal::CaptureStdout();
  EXPECT_EQ(ParseCommandLine(2, version, "A test.").exit_code, kExitDone);
  EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("tocsin-test "));
  const char* wrong[] = {"tocsin-test", "--config"};
  testing::internal::CaptureStderr();
  EXPECT_EQ(ParseCommandLine(2, wrong, "A test.").exit_code, kExitWrongUse);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("--config"));
}

}  // namespace
}  // namespace tocsin::config
