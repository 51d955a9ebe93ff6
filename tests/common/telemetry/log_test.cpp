#include "common/telemetry/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <thread>

#include "common/telemetry/log_record.h"

namespace tocsin::telemetry {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::SizeIs;

class LogTest : public testing::Test {
 protected:
  LogTest() : file_(std::tmpfile()) {
    session_.emplace(LogOptions{.service_name = "tocsin-test",
                                .service_instance_id = "test-1",
                                .descriptor = ::fileno(file_)});
  }
  ~LogTest() override {
    session_.reset();
    SetLogLevel(Severity::kInfo);
    std::fclose(file_);
  }

  // Ends the session, which writes the queued lines.
  std::string Text() {
    session_.reset();
    std::rewind(file_);
    std::string text;
    for (int c = std::fgetc(file_); c != EOF; c = std::fgetc(file_)) text += static_cast<char>(c);
    return text;
  }

  std::vector<json> Lines() {
    std::vector<json> lines;
    std::istringstream text(Text());
    for (std::string line; std::getline(text, line);) lines.push_back(json::parse(line));
    return lines;
  }

  // All lines without their times, whose digits a test could mistake for a phone number.
  std::string TextWithoutTimes() {
    std::string text;
    for (json& line : Lines()) {
      line.erase("timestamp");
      text += line.dump() + '\n';
    }
    return text;
  }

  std::FILE* file_;
  std::optional<LogSession> session_;
};

TEST_F(LogTest, ArbitraryBytesGiveOneValidLine) {  // P3
  const std::string hostile = "a\"\\\n\r\t\x01\xff\xfe\xc3(\xed\xa0\x80" + std::string("\0b", 2);
  Log(Severity::kWarn, hostile, hostile, {{"text", hostile}, {std::string_view(hostile), 1}});
  const std::vector<json> lines = Lines();
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_THAT(lines[0]["body"].get<std::string>(), HasSubstr("\xef\xbf\xbd"));  // replaced
  EXPECT_EQ(lines[0]["severity_text"], "WARN");
}

TEST_F(LogTest, SecretsAndPiiShowTheirLengthOnly) {  // P3, P7
  Log(Severity::kInfo, "x", "y",
      {{"token", Secret("hunter2-planted")}, {"to", Pii("+15017122661")}});
  const std::string text = TextWithoutTimes();
  EXPECT_THAT(text, HasSubstr("\"token\":\"[15 hidden]\""));
  EXPECT_THAT(text, HasSubstr("\"to\":\"[12 hidden]\""));
  EXPECT_THAT(text, Not(HasSubstr("planted")));
  EXPECT_THAT(text, Not(HasSubstr("5017")));
}

TEST_F(LogTest, EveryStringIsScrubbed) {  // P3
  Log(Severity::kInfo, "to +15017122661", "ann@example.com called",
      {{"peer", "tel +1 501 712 2661"}, {"+15017122661", "key"}, {"alert", "line\n+15017122661"}});
  const std::string text = TextWithoutTimes();
  EXPECT_THAT(text, Not(HasSubstr("2661")));
  EXPECT_THAT(text, Not(HasSubstr("ann@")));
  EXPECT_THAT(text, HasSubstr("[email] called"));
}

TEST_F(LogTest, ALongValueIsTruncated) {
  Log(Severity::kInfo, "x", std::string(kLogStringLimit * 3, 'b'));
  EXPECT_EQ(Lines()[0]["body"].get<std::string>().size(), kLogStringLimit);
}

TEST_F(LogTest, AFieldCannotReplaceAStandardField) {
  Log(Severity::kInfo, "x", "y", {{"service.name", "forged"}, {"a", 1}, {"a", 2}});
  const json line = Lines()[0];
  EXPECT_EQ(line["service.name"], "tocsin-test");
  EXPECT_EQ(line["a"], 1);
}

TEST_F(LogTest, ValuesKeepTheirTypes) {
  const std::string id = "0190f5fe-7c00-7a00-8000-001234567890";
  Log(Severity::kInfo, "alert.accepted", "accepted",
      {{"alert_id", id},
       {"trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"},
       {"small", -7},
       {"large", std::numeric_limits<std::uint64_t>::max()},
       {"seconds", 0.25},
       {"nothing", std::nan("")},
       {"yes", true},
       {"code", ErrorCode::kNoRoute}});
  const json line = Lines()[0];
  EXPECT_EQ(line["event.name"], "alert.accepted");
  EXPECT_EQ(line["body"], "accepted");
  EXPECT_EQ(line["severity_text"], "INFO");
  EXPECT_EQ(line["service.name"], "tocsin-test");
  EXPECT_EQ(line["service.version"], Version());
  EXPECT_EQ(line["service.instance.id"], "test-1");
  EXPECT_THAT(line["timestamp"].get<std::string>(),
              MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{6}Z"));
  EXPECT_EQ(line["alert_id"], id);
  EXPECT_EQ(line["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(line["small"], -7);
  EXPECT_EQ(line["large"], std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(line["seconds"], 0.25);
  EXPECT_TRUE(line["nothing"].is_null());
  EXPECT_EQ(line["yes"], true);
  EXPECT_EQ(line["code"], "NO_ROUTE");
}

TEST_F(LogTest, TheLevelCanChangeAtRunTime) {  // O4
  Log(Severity::kDebug, "one", "");
  SetLogLevel(Severity::kDebug);
  Log(Severity::kDebug, "two", "");
  SetLogLevel(Severity::kError);
  Log(Severity::kWarn, "three", "");
  const std::vector<json> lines = Lines();
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_EQ(lines[0]["event.name"], "two");
}

TEST_F(LogTest, LinesOfManyThreadsAreNotInterleaved) {
  constexpr int kThreads = 4, kEach = 500;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([t] {
      for (int i = 0; i < kEach; ++i) Log(Severity::kInfo, "x", "y", {{"t", t}, {"i", i}});
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(Lines(), SizeIs(kThreads * kEach));
}

TEST(LogQueueTest, AFullQueueDropsTheOldestLineAndDoesNotBlock) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const std::uint64_t lost = LogLinesLost();
  std::optional<LogSession> session;
  session.emplace(LogOptions{.service_name = "t", .descriptor = ends[1], .queue_lines = 16});
  const std::string body(kLogStringLimit, 'x');
  for (int i = 0; i < 1000; ++i) Log(Severity::kInfo, "x", body, {{"i", i}});  // no reader yet
  EXPECT_GT(LogLinesLost(), lost);
  std::string text;
  std::thread reader([&text, end = ends[0]] {
    char part[65536];
    for (ssize_t count = 0; (count = ::read(end, part, sizeof part)) > 0;)
      text.append(part, static_cast<size_t>(count));
  });
  session.reset();
  ::close(ends[1]);
  reader.join();
  ::close(ends[0]);
  EXPECT_THAT(text, HasSubstr("\"i\":999}"));  // the newest is there
}

TEST(LogOutsideSessionTest, LinesAreWrittenImmediately) {
  testing::internal::CaptureStdout();
  Log(Severity::kError, "early", "+15017122661");
  const std::string text = testing::internal::GetCapturedStdout();
  EXPECT_EQ(json::parse(text)["event.name"], "early");
  EXPECT_THAT(text, HasSubstr("[phone]"));
}

TEST(LogTimeTest, TimesBeforeAndAfter1970AreFormattedInUtc) {
  using std::chrono::system_clock;
  const auto at = [](std::int64_t micros) {
    return Rfc3339(system_clock::time_point(std::chrono::microseconds(micros)));
  };
  EXPECT_EQ(at(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(at(-1), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(at(1'763'688'065'123'456), "2025-11-21T01:21:05.123456Z");
}

TEST(LogNamesTest, SeverityNamesAreCaseInsensitive) {
  EXPECT_EQ(SeverityNamed("debug"), Severity::kDebug);
  EXPECT_EQ(SeverityNamed("Warning"), Severity::kWarn);
  EXPECT_EQ(SeverityNamed("loud"), std::nullopt);
  EXPECT_EQ(SeverityNamed(""), std::nullopt);
}

}  // namespace
}  // namespace tocsin::telemetry
