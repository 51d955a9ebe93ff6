#include "common/config/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace tocsin::config {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kPlanted = "hunter2-planted-secret";
constexpr const char* kPlantedUrl = "postgresql://u:hunter2-planted-secret@h/d";

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

TEST_F(ReaderTest, ReportsAllErrorsTogetherWithTheirPlacesAndFixes) {  // O4
  const std::string file =
      File("t.yaml", "kafka:\n  bootstrap: x\nkafka_botstrap: y\nsenders: many\nsenders: 3\n");
  Reader reader = With({"--config", file, "--drain-timeout", "soon", "--colour", "red"},
                       {{"TOCSIN_OPS", "nowhere"}, {"TOCSIN_DB_FILE", folder_ + "/missing"}});
  reader.HostPort("TOCSIN_OPS", "operations").Default(Address{"127.0.0.1", 0});
  reader.Text("TOCSIN_KAFKA_BOOTSTRAP", "brokers").Required();
  reader.Integer("TOCSIN_SENDERS", "senders", 1, 1000, "senders").Default(100);
  reader.Duration("TOCSIN_DRAIN_TIMEOUT", "drain", 0s, 1min).Default(25s);
  reader.SecretUrl("TOCSIN_DB", "database", {"postgresql"}).Required();
  reader.Text("TOCSIN_NAME", "name").Required();

  const Status status = reader.Finish();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kInvalidConfig);
  const std::string& report = status.error().message;
  EXPECT_THAT(report, HasSubstr("8 errors"));
  EXPECT_THAT(report, HasSubstr("senders (" + file + ":5) is given twice, first in line 4"));
  EXPECT_THAT(report, HasSubstr("TOCSIN_OPS (TOCSIN_OPS) has no port"));
  EXPECT_THAT(report, HasSubstr("TOCSIN_SENDERS (" + file + ":4) is not an integer"));
  EXPECT_THAT(report, HasSubstr("TOCSIN_DRAIN_TIMEOUT (--drain-timeout) is not a duration"));
  EXPECT_THAT(report, HasSubstr("TOCSIN_DB (TOCSIN_DB_FILE) names a file that cannot be"));
  EXPECT_THAT(report, HasSubstr("TOCSIN_NAME is required"));
  EXPECT_THAT(report, HasSubstr("--colour"));
  EXPECT_THAT(report, HasSubstr("kafka_botstrap (" + file + ":3) is not a setting"));
  EXPECT_THAT(report, HasSubstr("did you mean kafka_bootstrap?"));
}

TEST_F(ReaderTest, NoReportContainsAValue) {  // P7
  const std::string file =
      File("t.yaml", std::string("ops: ") + kPlanted + "\nname: [{" + kPlanted +
                         ": 1}]\npostgres_url: http://u:" + kPlanted + "@h\n");
  Reader reader = With({"--config", file, "--db", kPlanted,
                        std::string("--drain-timeout=") + kPlanted, kPlanted, "--check-config"},
                       {{"TOCSIN_MODE", kPlanted}, {"TOCSIN_COUNT", kPlanted}});
  reader.HostPort("TOCSIN_OPS", "operations").Required();
  reader.Text("TOCSIN_NAME", "name").Required();
  reader.SecretUrl("TOCSIN_POSTGRES_URL", "database", {"postgresql"}).Required();
  reader.SecretUrl("TOCSIN_DB", "database", {"postgresql"}).Required();
  reader.Duration("TOCSIN_DRAIN_TIMEOUT", "drain", 0s, 1min).Required();
  reader.Choice("TOCSIN_MODE", "mode", {"live"}).Required();
  reader.Integer("TOCSIN_COUNT", "count", 0, 1, "things").Required();
  std::ostringstream out, error;
  EXPECT_EQ(reader.Conclude(out, error), kExitUsage);
  EXPECT_THAT(error.str(), HasSubstr("9 errors"));
  EXPECT_THAT(out.str() + error.str(), Not(HasSubstr(kPlanted)));
}

TEST_F(ReaderTest, AMissingConfigFileIsAnError) {
  Reader reader = With({"--config", folder_ + "/none.yaml"});
  EXPECT_THAT(reader.Finish().error().message, HasSubstr("No such file"));
}

TEST_F(ReaderTest, FlagOverridesEnvironmentOverridesFileOverridesDefault) {  // O4
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

TEST_F(ReaderTest, IgnoresUnknownAndEmptyEnvironmentVariables) {
  Reader reader = With({}, {{"TOCSIN_OF_ANOTHER_SERVICE", "x"}, {"TOCSIN_A", ""}});
  EXPECT_EQ(reader.Text("TOCSIN_A", "").Default("default"), "default");
  EXPECT_TRUE(reader.Finish());
}

TEST_F(ReaderTest, ReadsAnAliasAfterTheNameItself) {  // O4
  const std::map<std::string, std::string> both{{"TWILIO_FROM", "alias"}, {"TOCSIN_FROM", "own"}};
  EXPECT_EQ(With({}, both).Text("TOCSIN_FROM", "").Alias("TWILIO_FROM").Required(), "own");
  Reader reader = With({}, {{"TWILIO_FROM", "alias"}});
  EXPECT_EQ(reader.Text("TOCSIN_FROM", "").Alias("TWILIO_FROM").Required(), "alias");
  EXPECT_EQ(reader.sources()[0].place, "TWILIO_FROM");
}

TEST_F(ReaderTest, AnAliasWithThePrefixIsAlsoAFlagAndAKeyOfTheFile) {
  const auto address = [](Reader& reader) {
    return reader.Text("TOCSIN_OPS_ADDRESS", "").Alias("TOCSIN_OPS").Required();
  };
  Reader by_flag = With({"--ops", "flag"}, {{"TOCSIN_OPS_ADDRESS", "env"}});
  EXPECT_EQ(address(by_flag), "flag");
  EXPECT_TRUE(by_flag.Finish());
  Reader by_file = With({"--config", File("t.yaml", "ops: file\n")});
  EXPECT_EQ(address(by_file), "file");
  EXPECT_TRUE(by_file.Finish());
}

TEST_F(ReaderTest, ReadsASecretFromItsFileWithoutTheLineBreak) {
  const std::string path = File("db", std::string(kPlantedUrl) + "\n");
  Reader reader = With({}, {{"TOCSIN_DB_FILE", path}});
  EXPECT_EQ(reader.SecretUrl("TOCSIN_DB", "", {"postgresql"}).Required().Reveal(), kPlantedUrl);
  std::ostringstream out, error;
  EXPECT_EQ(reader.Conclude(out, error), std::nullopt);
  EXPECT_THAT(error.str(), IsEmpty());
}

TEST_F(ReaderTest, WarnsOfASecretFileThatOtherUsersCanRead) {
  const std::string path = File("db", kPlantedUrl, 0644);
  Reader reader = With({"--db-file", path});
  EXPECT_EQ(reader.SecretUrl("TOCSIN_DB", "", {"postgresql"}).Required().Reveal(), kPlantedUrl);
  std::ostringstream out, error;
  EXPECT_EQ(reader.Conclude(out, error), std::nullopt);
  EXPECT_THAT(error.str(), AllOf(HasSubstr("warning: TOCSIN_DB (--db-file)"),
                                 HasSubstr("chmod 600"), Not(HasSubstr(kPlanted))));
}

TEST_F(ReaderTest, RefusesAnInvalidSecretFile) {
  const std::string pipe = folder_ + "/pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& path :
       {File("empty", ""), File("blank", "\n"), File("nul", std::string("a\0b", 3)),
        File("lines", "a\nb\n"), File("large", std::string(kValueLimit * 8, 'x')), pipe, folder_}) {
    Reader reader = With({}, {{"TOCSIN_DB_FILE", path}});
    EXPECT_TRUE(reader.SecretUrl("TOCSIN_DB", "", {"postgresql"}).Required().empty());
    EXPECT_THAT(reader.Finish().error().message, HasSubstr("1 error ")) << path;
  }
}

TEST_F(ReaderTest, RefusesASecretThatIsGivenAsValueAndAsFile) {
  Reader reader =
      With({}, {{"TOCSIN_DB", kPlantedUrl}, {"TOCSIN_DB_FILE", File("db", kPlantedUrl)}});
  reader.SecretUrl("TOCSIN_DB", "", {"postgresql"}).Required();
  EXPECT_THAT(reader.Finish().error().message, AllOf(HasSubstr("1 error "), HasSubstr("both")));
}

TEST_F(ReaderTest, RefusesAFlagThatIsGivenTwiceOrHasNoValue) {
  Reader reader = With({"--a", "1", "--a=2", "--b"});
  reader.Text("TOCSIN_A", "").Optional();
  reader.Text("TOCSIN_B", "").Optional();
  EXPECT_THAT(reader.Finish().error().message,
              AllOf(HasSubstr("2 errors"), HasSubstr("--a (command line) is given twice"),
                    HasSubstr("--b (command line) has no value")));
}

TEST_F(ReaderTest, AnErrorThatTheServiceAddsHasThePlaceOfTheSetting) {  // O4
  Reader reader = With({"--lease", "1s"});
  reader.Duration("TOCSIN_LEASE", "lease of a claim", 0s, 1min).Default(35s);
  reader.AddError("TOCSIN_LEASE", "is too short", "raise it");
  const Status status = reader.Finish();
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("TOCSIN_LEASE (--lease) is too short"));
}

TEST_F(ReaderTest, CheckConfigPrintsSourcesAndNeverValues) {
  Reader reader = With({"--check-config"}, {{"TOCSIN_A", kPlanted}});
  reader.Text("TOCSIN_A", "").Required();
  std::ostringstream out, error;
  EXPECT_EQ(reader.Conclude(out, error), kExitSuccess);
  EXPECT_THAT(out.str(), AllOf(HasSubstr("configuration OK"), HasSubstr("TOCSIN_A: environment"),
                               Not(HasSubstr(kPlanted))));
}

// Declares a setting of each type.
void DeclareAll(Reader& reader) {
  reader.Text("TOCSIN_KAFKA_BOOTSTRAP", "Kafka brokers").Example("kafka-1:9092").Required();
  reader.SecretUrl("TOCSIN_DB", "database", {"postgresql"}).Default(Secret(kPlantedUrl));
  reader.Duration("TOCSIN_DRAIN_TIMEOUT", "time to finish", 100ms, 10min).Default(25s);
  reader.Integer("TOCSIN_THREADS", "worker threads", 1, 64, "threads")
      .Alias("THREADS")
      .Example("8")
      .Default(2);
  reader.Choice("TOCSIN_LOG_LEVEL", "severity", {"debug", "info", "warn"}).Default("info");
  reader.Text("TOCSIN_INSTANCE", "name").DefaultText("host name").Example("a-1").Default("host");
  reader.Url("TOCSIN_OTLP", "collector", {"http", "https"}).Example("http://otel:4318").Optional();
}

TEST_F(ReaderTest, HelpListsEverySettingAndSucceedsWithoutTheRequiredOnes) {
  Reader reader = With({"--help"});
  DeclareAll(reader);
  std::ostringstream out, error;
  EXPECT_EQ(reader.Conclude(out, error), kExitSuccess);
  EXPECT_THAT(out.str(),
              AllOf(HasSubstr("A test."), HasSubstr("--check-config"),
                    HasSubstr("--print-settings {yaml,env,markdown}"),
                    HasSubstr("Kafka brokers (required)"),
                    HasSubstr("time to finish (100ms to 10m; default: 25s)"),
                    HasSubstr("worker threads (1 to 64 threads; default: 2; alias: THREADS)"),
                    HasSubstr("(debug, info or warn; default: info)"),
                    HasSubstr("TOCSIN_DB or TOCSIN_DB_FILE"), Not(HasSubstr(kPlanted))));
  EXPECT_THAT(error.str(), IsEmpty());
}

TEST_F(ReaderTest, PrintsAYamlSampleThatItCanRead) {
  Reader printer = With({"--print-settings=yaml"});
  DeclareAll(printer);
  std::ostringstream out, error;
  EXPECT_EQ(printer.Conclude(out, error), kExitSuccess);
  EXPECT_THAT(
      out.str(),
      AllOf(HasSubstr("\n# Kafka brokers (required).\nkafka_bootstrap: \"kafka-1:9092\"\n"),
            HasSubstr("\n# Time to finish (100ms to 10m; default: 25s).\n"
                      "# drain_timeout: 25s\n"),
            HasSubstr("default: 2; alias: THREADS).\nthreads: 8\n"),
            HasSubstr("default: host name).\n# instance: a-1\n"),
            HasSubstr("\n# db_file: /etc/tocsin/db\n"),
            HasSubstr("optional).\n# otlp: \"http://otel:4318\"\n"), Not(HasSubstr(kPlanted))));
  Reader reader = With({"--config", File("t.yaml", out.str())});
  DeclareAll(reader);
  EXPECT_TRUE(reader.Finish());
}

TEST_F(ReaderTest, IndentsTheContinuationLinesOfASample) {
  Reader printer = With({"--print-settings=yaml"});
  const std::string help = std::string(90, 'x') + " default: y";
  printer.Text("TOCSIN_A", help).Default("z");
  std::ostringstream out, error;
  EXPECT_EQ(printer.Conclude(out, error), kExitSuccess);
  EXPECT_THAT(out.str(), HasSubstr("x\n#   default: y (default: z).\n# a: z\n"));
}

TEST_F(ReaderTest, PrintsAnEnvironmentSample) {
  Reader printer = With({"--print-settings", "env"});
  DeclareAll(printer);
  std::ostringstream out, error;
  EXPECT_EQ(printer.Conclude(out, error), kExitSuccess);
  EXPECT_THAT(out.str(),
              AllOf(HasSubstr("# Kafka brokers (required).\nTOCSIN_KAFKA_BOOTSTRAP=kafka-1:9092\n"),
                    HasSubstr("\n#TOCSIN_DRAIN_TIMEOUT=25s\n"), HasSubstr("\nTOCSIN_THREADS=8\n"),
                    HasSubstr("\n#TOCSIN_DB_FILE=/etc/tocsin/db\n")));
}

TEST_F(ReaderTest, PrintsMarkdownRows) {
  Reader printer = With({"--print-settings", "markdown"});
  DeclareAll(printer);
  std::ostringstream out, error;
  EXPECT_EQ(printer.Conclude(out, error), kExitSuccess);
  EXPECT_THAT(
      out.str(),
      AllOf(HasSubstr("| `TOCSIN_KAFKA_BOOTSTRAP` |  | required | Kafka brokers |\n"),
            HasSubstr("| `TOCSIN_DB` (secret) | postgresql URL | `hidden` | database |\n"),
            HasSubstr("| `TOCSIN_DRAIN_TIMEOUT` | 100ms to 10m | `25s` | time to finish |\n"),
            HasSubstr(
                "| `TOCSIN_THREADS` | 1 to 64 threads | `2` | worker threads; alias `THREADS` |\n"),
            HasSubstr("| `TOCSIN_INSTANCE` |  | host name | name |\n"),
            HasSubstr("| `TOCSIN_OTLP` | http or https URL | optional | collector |\n")));
}

TEST_F(ReaderTest, VersionAndInvalidFlagsEndTheProgram) {
  const char* version[] = {"tocsin-test", "--version"};
  testing::internal::CaptureStdout();
  EXPECT_EQ(ParseCommandLine(2, version, "A test.").exit_code, kExitSuccess);
  EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("tocsin-test "));
  for (const char* invalid : {"--config", "--print-settings", "--print-settings=toml"}) {
    const char* words[] = {"tocsin-test", invalid};
    testing::internal::CaptureStderr();
    EXPECT_EQ(ParseCommandLine(2, words, "A test.").exit_code, kExitUsage);
    EXPECT_THAT(testing::internal::GetCapturedStderr(),
                HasSubstr(std::string(invalid).substr(0, std::string(invalid).find('='))));
  }
}

}  // namespace
}  // namespace tocsin::config
