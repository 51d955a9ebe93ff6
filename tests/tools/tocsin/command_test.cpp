#include "tools/tocsin/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tools/tocsin/alert_words.h"

namespace tocsin::cli {
namespace {

constexpr int kGrpcUnavailable = 14;

TEST(ReadFile, OfAFolderIsAnErrorAndNoAbort) {
  const auto refused = ReadFile("/tmp");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidConfig);
  EXPECT_EQ(refused.error().message, "cannot be read: is a directory");
  EXPECT_FALSE(ReadFile("/nowhere/at/all"));
}

TEST(ReadFile, KeepsEveryByteUpToItsLimit) {
  const auto path = std::filesystem::temp_directory_path() / ("read." + std::to_string(getpid()));
  const std::string content = std::string(100'000, 'x') + '\0' + "\r\n\n";
  std::ofstream(path, std::ios::binary) << content;
  EXPECT_EQ(ReadFile(path, content.size()).value(), content);
  EXPECT_FALSE(ReadFile(path, content.size() - 1));
  std::ofstream(path, std::ios::binary).flush();
  EXPECT_EQ(ReadFile(path).value(), "");
  std::filesystem::remove(path);
}

TEST(ExitCode, OfWhatIsAwayForNowIsAlwaysUnreachable) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    const bool away = TraitsOf(code).grpc_status == kGrpcUnavailable;
    const int otherwise = code == ErrorCode::kInvalidConfig ? kWrongUse : kRefused;
    EXPECT_EQ(Report({.code = code, .message = "why"}), away ? kUnreachable : otherwise)
        << TraitsOf(code).name;
  }
  EXPECT_EQ(Report({.code = ErrorCode::kOutcomeUnknown, .message = "why"}), kUnreachable);
  EXPECT_EQ(Report({.code = ErrorCode::kKmsUnavailable, .message = "why"}), kUnreachable);
}

TEST(MinPosition, IsRefusedWhenSomethingHangsOnItsNumbers) {
  v1::Position position;
  for (const char* bad : {"a/3zz/9q", "a/3/9q", "a/3zz/9", "a//9", "a/3/", "/3/9", "3/9", "a", "/",
                          "", "a/-3/9", "a/3/-9", "a/99999999999/9", "a/ 3/9"})
    EXPECT_FALSE(ReadPosition(bad, position)) << bad;
  ASSERT_TRUE(ReadPosition("a/b/3/9", position));
  EXPECT_EQ(position.topic(), "a/b");
  EXPECT_EQ(position.partition(), 3);
  EXPECT_EQ(position.offset(), 9);
}

}  // namespace
}  // namespace tocsin::cli
