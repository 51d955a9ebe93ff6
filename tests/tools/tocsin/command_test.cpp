#include "tools/tocsin/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tools/tocsin/alert_format.h"
#include "tools/tocsin/options.h"

namespace tocsin::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr int kGrpcUnavailable = 14;

TEST(ReadFileTest, RefusesADirectory) {
  const auto refused = ReadFile("/tmp");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused.error().message, "cannot be read: is a directory");
  EXPECT_FALSE(ReadFile("/nowhere/at/all"));
}

TEST(ReadFileTest, KeepsEveryByteUpToItsLimit) {
  const auto path = std::filesystem::temp_directory_path() / ("read." + std::to_string(getpid()));
  const std::string content = std::string(100'000, 'x') + '\0' + "\r\n\n";
  std::ofstream(path, std::ios::binary) << content;
  EXPECT_EQ(ReadFile(path, content.size()).value(), content);
  EXPECT_FALSE(ReadFile(path, content.size() - 1));
  std::ofstream(path, std::ios::binary).flush();
  EXPECT_EQ(ReadFile(path).value(), "");
  std::filesystem::remove(path);
}

TEST(ReportTest, ReturnsUnreachableForEveryUnavailableReason) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    const bool unavailable = TraitsOf(code).grpc_status == kGrpcUnavailable;
    const int otherwise = code == ErrorCode::kInvalidConfig ? kWrongUse : kRefused;
    EXPECT_EQ(Report({.code = code, .message = "why"}), unavailable ? kUnreachable : otherwise)
        << TraitsOf(code).name;
    EXPECT_EQ(ReportMisuse({.code = code, .message = "why"}), kWrongUse);
  }
  EXPECT_EQ(Report({.code = ErrorCode::kUnreachable, .message = "why"}), kUnreachable);
  EXPECT_EQ(Report({.code = ErrorCode::kOutcomeUnknown, .message = "why"}), kUnreachable);
}

TEST(ReportTest, AlwaysPrintsAText) {
  testing::internal::CaptureStderr();
  Report({.code = ErrorCode::kInternal, .message = ""});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "tocsin: no details (INTERNAL)\n");
}

TEST(ConsistencyTokenTest, RefusesTextThatIsNotBase64) {
  for (const char* invalid : {"", "a", "abc", "a/3/9", "QUI", "QUJD!", " QUJD"}) {
    const auto refused = ReadConsistencyToken(invalid);
    ASSERT_FALSE(refused) << invalid;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(refused.error().field, "--consistency-token");
  }
  EXPECT_EQ(ReadConsistencyToken("QUJD").value(), "ABC");
}

TEST(TruncatedTest, CountsCharactersAndNotBytes) {
  EXPECT_EQ(Truncated("\xc3\xa9\xf0\x9f\x94\x94x", 2), "\xc3\xa9\xf0\x9f\x94\x94");
  EXPECT_EQ(Truncated("\xc3\xa9\xc3\xa9", 2), "\xc3\xa9\xc3\xa9");
  EXPECT_EQ(Truncated("abc", 0), "");
  EXPECT_EQ(Truncated("", 5), "");
}

enum class Colour { kRed, kBlue };
const Choices<Colour> kColours{{"red", Colour::kRed}, {"blue", Colour::kBlue}};

TEST(ChoiceTest, HelpShowsTheValuesInOrder) {
  CLI::App app("A test.");
  Colour colour{};
  std::vector<Colour> colours;
  double seconds = 1.5;
  AddChoice(app, "--colour", colour, kColours, "of the wall");
  AddChoices(app, "--colours", colours, kColours, "repeatable");
  Hide(AddChoice(app, "--color", colour, kColours, ""));
  AddSeconds(app, "--wait", seconds, 0.1, 30, "how long");
  const std::string help = app.help();
  EXPECT_THAT(help, HasSubstr("--colour {red,blue} "));
  EXPECT_THAT(help, HasSubstr("--wait SECONDS "));
  EXPECT_THAT(help, HasSubstr("how long (0.1 to 30; default 1.5)"));
  EXPECT_THAT(help, Not(HasSubstr("--color ")));
  EXPECT_THAT(help, Not(HasSubstr(" in [")));
}

TEST(ChoiceTest, AcceptsAnyCaseAndRefusesOtherValues) {
  CLI::App app("A test.");
  Colour colour{};
  std::vector<Colour> colours;
  AddChoice(app, "--colour", colour, kColours, "");
  AddChoices(app, "--colours", colours, kColours, "");
  app.parse("--colour BLUE --colours red --colours Blue");
  EXPECT_EQ(colour, Colour::kBlue);
  EXPECT_THAT(colours, ElementsAre(Colour::kRed, Colour::kBlue));
  try {
    app.parse("--colour green");
    FAIL();
  } catch (const CLI::ParseError& error) {
    EXPECT_STREQ(error.what(), "--colour: green is not one of red, blue");
  }
}

}  // namespace
}  // namespace tocsin::cli
