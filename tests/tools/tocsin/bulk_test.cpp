#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tools/tocsin/bulk/bulk_file.h"
#include "tools/tocsin/bulk/bulk_journal.h"

namespace tocsin::cli {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

std::vector<std::string> Errors(const BulkFile& file) {
  std::vector<std::string> errors;
  for (const BulkError& error : file.errors)
    errors.push_back(std::to_string(error.line) + ' ' + error.column);
  return errors;
}

constexpr WallTime kNow{std::chrono::seconds(1'800'000'000)};  // 2027-01-15T08:00:00Z

BulkFile Csv(const std::string& text) { return ParseBulk(text, BulkFormat::kCsv, {}, kNow); }
BulkFile Json(const std::string& text) { return ParseBulk(text, BulkFormat::kJsonLines, {}, kNow); }

// O9
TEST(BulkFileTest, ReadsQuotedFieldsThatSpanLines) {
  const BulkFile file =
      Csv("\xef\xbb\xbfto,text,priority,label.ward\r\n"
          "+15145550101,\"One, \"\"two\"\"\nthree\",high,7\r\n"
          "+15145550102,Four,,\n");
  ASSERT_THAT(Errors(file), IsEmpty());
  ASSERT_THAT(file.rows, SizeIs(2));
  EXPECT_EQ(file.rows[0].request.text(), "One, \"two\"\nthree");
  EXPECT_EQ(file.rows[0].request.priority(), v1::PRIORITY_HIGH);
  EXPECT_EQ(file.rows[0].request.labels().at("ward"), "7");
  EXPECT_EQ(file.rows[1].line, 4U);
}

// O9
TEST(BulkFileTest, ReportsEveryErrorWithItsLineAndColumn) {
  EXPECT_THAT(Errors(Csv("to,text,colour\n+15145550101,x,red\n")), ElementsAre("1 colour"));
  EXPECT_THAT(Errors(Csv("to,text\nnobody,x\n+15145550101,\n+15145550101\n")),
              ElementsAre("2 to", "3 text", "4 "));
  EXPECT_THAT(Errors(Csv("to,text,priority,send_time\n+15145550101,x,urgent,soon\n")),
              ElementsAre("2 priority", "2 send_time"));
  EXPECT_THAT(Errors(Csv("to,text\n+15145550101,\"x\n")), ElementsAre("2 "));
  EXPECT_THAT(Errors(Csv("to,text,idempotency_key\n+15145550101,x,k\n+15145550102,y,k\n")),
              ElementsAre("3 idempotency_key"));
  EXPECT_THAT(Errors(Csv("to,to\n")), ElementsAre("1 to"));
}

TEST(BulkFileTest, ReadsJsonLinesAndReportsTheirErrors) {
  const BulkFile file = Json(R"({"to": "+15145550101", "text": "x", "labels": {"ward": "7"}})"
                             "\n\n"
                             R"({"to": 5, "text": "x"})"
                             "\n[1]\n"
                             R"({"to": "+15145550102", "text": "x", "colour": "red"})");
  EXPECT_THAT(Errors(file), ElementsAre("3 to", "4 ", "5 colour"));
  EXPECT_EQ(file.rows[0].request.labels().at("ward"), "7");
}

TEST(BulkFileTest, AcceptsTheOldNamesOfColumns) {
  const BulkFile file =
      Csv("to,text,class,sender,send_at,expires_at\n"
          "+15145550101,x,high,main,2027-01-16T08:00:00Z,2027-01-16T09:00:00Z\n");
  ASSERT_THAT(Errors(file), IsEmpty());
  EXPECT_EQ(file.rows[0].request.priority(), v1::PRIORITY_HIGH);
  EXPECT_EQ(file.rows[0].request.sender_id(), "main");
  EXPECT_TRUE(file.rows[0].request.has_send_time() && file.rows[0].request.has_expire_time());
  EXPECT_THAT(Errors(Csv("to,text,class,priority\n")), ElementsAre("1 priority"));
}

TEST(BulkFileTest, ReportsOneErrorPerInvalidField) {
  const std::string line = R"({"to": 5, "text": 5, "send_time": "soon", "priority": "urgent"})";
  EXPECT_THAT(Errors(Json(line)), ElementsAre("1 to", "1 text", "1 send_time", "1 priority"));
  EXPECT_THAT(Errors(Csv("to,text,idempotency_key\n+15145550101,x,\xff\n")),
              ElementsAre("2 idempotency_key"));
}

TEST(BulkFileTest, ErrorsContainNoValueOfTheFile) {
  const BulkFile file = Csv("to,text\nhunter2-no-number,x\n");
  ASSERT_THAT(file.errors, SizeIs(1));
  EXPECT_EQ(file.errors[0].reason.find("hunter2"), std::string::npos);
}

// O9
TEST(BulkFileTest, ReportsTheErrorsThatTheServiceWouldFindInTheRequestAlone) {
  const std::string head = "to,text,send_time,expire_time\n+15145550101,x,";
  EXPECT_THAT(Errors(Csv(head + ",2027-01-15T08:00:00Z\n")), ElementsAre("2 expire_time"));
  EXPECT_THAT(Errors(Csv(head + ",2027-01-22T08:00:01Z\n")), ElementsAre("2 expire_time"));
  EXPECT_THAT(Errors(Csv(head + "2027-01-22T08:00:01Z,\n")), ElementsAre("2 send_time"));
  EXPECT_THAT(Errors(Csv(head + "2027-01-16T08:00:00Z,2027-01-15T09:00:00Z\n")),
              ElementsAre("2 expire_time"));
  EXPECT_THAT(Errors(Csv(head + "soon,later\n")), ElementsAre("2 send_time", "2 expire_time"));
  EXPECT_THAT(Errors(Csv(head + "2027-01-16T08:00:00Z,2027-01-16T09:00:00Z\n")), IsEmpty());
  EXPECT_THAT(Errors(Json(R"({"to": "+15145550101", "text": "a\u0000b"})")), ElementsAre("1 text"));
}

TEST(BulkFileTest, DoesNotCheckTimesWithoutATime) {
  const std::string text = "to,text,expire_time\n+15145550101,x,2027-01-15T08:00:00Z\n";
  EXPECT_THAT(Errors(ParseBulk(text, BulkFormat::kCsv, {}, std::nullopt)), IsEmpty());
}

TEST(BulkFileTest, RefusesADuplicateFieldOfAJsonLine) {
  const BulkFile file =
      Json(R"({"to": "+15145550101", "text": "x", "to": "+15145550102"})"
           "\n"
           R"({"to": "+15145550101", "text": "x", "labels": {"a": "1", "a": "2"}})"
           "\n"
           R"({"to": "+15145550101", "text": "x", "labels": {"to": "1"}})");
  EXPECT_THAT(Errors(file), ElementsAre("1 ", "2 "));
  EXPECT_EQ(file.errors[0].reason, "duplicate field");
}

TEST(BulkFileTest, RefusesAnEmptyFile) {
  for (const BulkFile& file : {Csv(""), Json(""), Csv("\r\n"), Json(" \n\n")}) {
    ASSERT_THAT(Errors(file), ElementsAre("0 "));
    EXPECT_EQ(file.errors[0].reason, "the file is empty");
  }
}

// P3
TEST(BulkFileTest, ErrorsContainNoColumnNameThatMayBePersonalData) {
  const BulkFile csv =
      Csv("to,text,+15145550101,Call Jane,colour,label.Jane Doe,+15145550101\n"
          "+15145550102,x,y,z,red,\xff,y\n");
  EXPECT_THAT(Errors(csv), ElementsAre("1 column 3", "1 column 4", "1 colour", "1 column 7",
                                       "1 column 7", "2 column 6"));
  const BulkFile json = Json(R"({"to": "+15145550101", "text": "x", "Call Jane": "y",)"
                             R"( "labels": {"Jane Doe": 7}, "+15145550102": 1})");
  EXPECT_THAT(Errors(json), ElementsAre("1 column 3", "1 column 4", "1 column 5"));
}

TEST(BulkFileTest, ReportsAMissingHeaderAndTheColumns) {
  const BulkFile file = Csv("+15145550101,Call Jane\n+15145550102,Call Jim\n");
  EXPECT_THAT(file.rows, IsEmpty());
  ASSERT_THAT(file.errors, SizeIs(1));
  EXPECT_EQ(file.errors[0].line, 1U);
  EXPECT_EQ(file.errors[0].column, "");
  EXPECT_EQ(file.errors[0].reason,
            "header line is missing; columns: channel, expire_time, idempotency_key, priority, "
            "send_time, sender_id, text, to, label.NAME");
}

// A3
TEST(BulkFileTest, GeneratesTheSameKeysForTheSameFile) {
  const std::string text = "to,text\n+15145550101,x\n";
  EXPECT_EQ(Csv(text).rows[0].request.idempotency_key(),
            Csv(text).rows[0].request.idempotency_key());
  EXPECT_NE(Csv(text).rows[0].request.idempotency_key(),
            Csv(text + "+15145550102,y\n").rows[0].request.idempotency_key());
}

class BulkJournalTest : public testing::Test {
 protected:
  ~BulkJournalTest() override { std::filesystem::remove(path); }

  void Write(const std::string& content) { std::ofstream(path, std::ios::binary) << content; }
  std::string Content() const {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // The error of a journal with this content. The content must not change.
  std::string ErrorOf(const std::string& content) {
    Write(content);
    const auto refused = BulkJournal::Open(path, "file-a");
    EXPECT_EQ(Content(), content);
    if (refused) return "no error";
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
    return refused.error().message;
  }

  const std::string path =
      (std::filesystem::temp_directory_path() / ("bulk." + std::to_string(getpid()))).string();
};

// O9
TEST_F(BulkJournalTest, ResumesWithoutItsIncompleteLastLine) {
  {
    auto journal = BulkJournal::Open(path, "file-a").value();
    journal.Add(2, {"alert-2", "", "", true});
    journal.Add(3, {"", "NO_ROUTE", "no sender", false});
    ASSERT_TRUE(journal.Save());
  }
  std::ofstream(path, std::ios::app) << R"({"line":4,"alert)";
  {
    auto journal = BulkJournal::Open(path, "file-a").value();
    ASSERT_THAT(journal.outcomes(), SizeIs(2));
    EXPECT_EQ(journal.outcomes().at(2).alert_id, "alert-2");
    EXPECT_EQ(journal.outcomes().at(3).reason, "NO_ROUTE");
    journal.Add(4, {"alert-4", "", "", false});
    ASSERT_TRUE(journal.Save());
  }
  EXPECT_THAT(BulkJournal::Open(path, "file-a").value().outcomes(), SizeIs(3));
}

TEST_F(BulkJournalTest, RefusesTheJournalOfAnotherFile) {
  ASSERT_TRUE(BulkJournal::Open(path, "file-a"));
  const auto refused = BulkJournal::Open(path, "file-b");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, StartsWith("is the journal of another file"));
}

TEST_F(BulkJournalTest, NeverModifiesAFileThatIsNotAJournal) {
  for (const std::string content :
       {"to,text\n+15145550101,x\n", "x", "\n", R"({"to":"+15145550101","text":"x"})", "[1]\n",
        "{\"file\":5}\n", "{\"file\":\"file-a\",\"to\":\"x\"}\n", "{\"file\":\"file-a\"}"})
    EXPECT_THAT(ErrorOf(content), StartsWith("is not a journal")) << content;
  EXPECT_THAT(ErrorOf(std::string(1 << 20, 'x')), StartsWith("is not a journal"));
}

TEST_F(BulkJournalTest, ReportsAnInvalidLineAndDropsNothing) {
  const std::string head = "{\"file\":\"file-a\"}\n{\"line\":2,\"alert_id\":\"a\"}\n";
  for (const std::string line :
       {R"({"line":"x"})", R"({"line":-1,"alert_id":"a"})", R"({"line":3})", R"({"line":3,"alert)",
        R"({"line":3,"alert_id":7})", R"({"line":3,"alert_id":"a","replayed":"no"})", "[]", "",
        R"({"file":"file-a"})"})
    EXPECT_EQ(ErrorOf(head + line + "\n{\"line\":4,\"alert_id\":\"b\"}\n"),
              "line 3 is not an entry of a journal")
        << line;
}

TEST_F(BulkJournalTest, AppendsToAValidJournalWithoutRewritingIt) {
  const std::string good = "{\"file\": \"file-a\"}\n{\"alert_id\": \"a\", \"line\": 2}\n";
  Write(good + R"({"line":3,"al)");
  {
    auto journal = BulkJournal::Open(path, "file-a").value();
    EXPECT_EQ(Content(), good);
    journal.Add(3, {"", "NO_ROUTE", "no sender", false});
    ASSERT_TRUE(journal.Save());
  }
  EXPECT_EQ(Content(), good + "{\"line\":3,\"message\":\"no sender\",\"reason\":\"NO_ROUTE\"}\n");
}

TEST_F(BulkJournalTest, InMemoryWritesNoFile) {
  BulkJournal journal = BulkJournal::InMemory();
  journal.Add(2, {"alert-2", "", "", false});
  EXPECT_TRUE(journal.Save());
  EXPECT_THAT(journal.outcomes(), SizeIs(1));
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(BulkJournalTest, IsLockedByOneRunAtATime) {
  {
    const auto first = BulkJournal::Open(path, "file-a");
    ASSERT_TRUE(first);
    const auto second = BulkJournal::Open(path, "file-a");
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().message, "is in use by another run");
  }
  EXPECT_TRUE(BulkJournal::Open(path, "file-a"));
}

TEST_F(BulkJournalTest, RefusesADirectory) {
  const auto refused = BulkJournal::Open("/tmp", "file-a");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace tocsin::cli
