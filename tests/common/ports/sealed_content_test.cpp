// Sealing and opening the content of work records.
#include "common/ports/sealed_content.h"

#include <gtest/gtest.h>

#include "tests/fakes/vault.h"

namespace tocsin {
namespace {

records::v1::WorkRecord AWorkRecord() {
  records::v1::WorkRecord work;
  work.set_client_id("demo");
  work.mutable_attempt()->set_alert_id("01990000-aaaa-7bbb-8ccc-dddddddddddd");
  return work;
}

records::v1::Content AContent() {
  records::v1::Content content;
  content.set_to("+15145550123");
  content.set_text("Pump 4 is hot");
  return content;
}

TEST(SealedContentTest, OpensWhatItSealed) {
  FakeVault vault;
  auto work = AWorkRecord();
  ASSERT_TRUE(SealContent(vault, AContent(), work));
  EXPECT_EQ(work.SerializeAsString().find("5550123"), std::string::npos);
  const auto content = OpenContent(vault, work);
  ASSERT_TRUE(content);
  EXPECT_EQ(content->to(), "+15145550123");
  EXPECT_EQ(content->text(), "Pump 4 is hot");
}

TEST(SealedContentTest, RefusesContentOfAnotherAlertOrClient) {
  FakeVault vault;
  auto work = AWorkRecord();
  ASSERT_TRUE(SealContent(vault, AContent(), work));
  auto other_alert = work;
  other_alert.mutable_attempt()->set_alert_id("01990000-aaaa-7bbb-8ccc-000000000000");
  EXPECT_EQ(OpenContent(vault, other_alert).error().code, ErrorCode::kDataCorrupted);
  auto other_client = work;
  other_client.set_client_id("other");
  EXPECT_EQ(OpenContent(vault, other_client).error().code, ErrorCode::kDataCorrupted);
}

TEST(SealedContentTest, ReportsContentThatDoesNotParse) {
  FakeVault vault;
  auto work = AWorkRecord();
  *work.mutable_content() =
      vault.Seal({work.client_id(), work.attempt().alert_id(), kContentField}, "\xff")->sealed;
  EXPECT_EQ(OpenContent(vault, work).error().code, ErrorCode::kDataCorrupted);
}

TEST(SealedContentTest, LeavesTheRecordUnchangedWithoutKeys) {
  FakeVault vault;
  vault.keys_unavailable = true;
  auto work = AWorkRecord();
  EXPECT_EQ(SealContent(vault, AContent(), work).error().code, ErrorCode::kKmsUnavailable);
  EXPECT_FALSE(work.has_content());
  EXPECT_EQ(OpenContent(vault, work).error().code, ErrorCode::kKmsUnavailable);
}

}  // namespace
}  // namespace tocsin
