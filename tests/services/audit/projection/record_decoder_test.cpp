#include "services/audit/projection/record_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/services/audit/record_builder.h"

namespace tocsin::audit {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class RecordDecoderTest : public testing::Test {
 protected:
  Batch Decode(const IncomingRecord& record) {
    return DecodeRecords(std::span(&record, 1), ProjectedTopics(Topics()));
  }

  RecordBuilder build;
  const std::string id = AlertIdOf(1);
};

TEST_F(RecordDecoderTest, RemovesNulFromLabels) {
  IncomingRecord record = build.Accepted(id);
  records::v1::WorkRecord work;
  ASSERT_TRUE(work.ParseFromString(record.value));
  work.clear_labels();
  (*work.mutable_labels())[std::string("a\0b", 3)] = std::string("\0c", 2);
  record.value = work.SerializeAsString();
  EXPECT_EQ(Decode(record).alerts.at(id).labels_json, R"({"ab":"c"})");
}

TEST_F(RecordDecoderTest, SetsAsideRecordsWithInvalidFields) {
  for (const auto& change : std::vector<std::function<void(records::v1::Event&)>>{
           [](auto& event) { event.set_event_id("not a UUID"); },
           [](auto& event) { event.mutable_attempt()->set_alert_id("not a UUID"); },
           [](auto& event) { event.mutable_attempt()->set_step(-1); },
           [](auto& event) { event.mutable_attempt()->set_attempt(-1); },
           [](auto& event) { event.set_client_id(std::string(129, 'x')); },
           [](auto& event) {
             event.mutable_attempt_changed()->set_status(static_cast<v1::AttemptStatus>(99));
           },
           [](auto& event) { event.mutable_attempt_changed()->set_note(std::string(513, 'x')); },
           [](auto& event) { event.mutable_recipient()->set_last_four("123456789"); }}) {
    IncomingRecord record = build.Changed(id, v1::ATTEMPT_STATUS_SENT, 1);
    records::v1::Event event;
    ASSERT_TRUE(event.ParseFromString(record.value));
    change(event);
    record.value = event.SerializeAsString();
    const Batch batch = Decode(record);
    EXPECT_THAT(batch.unparsed, SizeIs(1)) << event.ShortDebugString();
    EXPECT_THAT(batch.alert_events, IsEmpty());
  }
}

TEST_F(RecordDecoderTest, KeepsTheTraceOfADeadLetter) {
  records::v1::DeadLetterRecord letter;
  ASSERT_TRUE(letter.mutable_work()->ParseFromString(build.Accepted(id).value));
  const Batch batch =
      Decode(build.Put(build.topics.Dead(v1::CHANNEL_SMS), letter.SerializeAsString(),
                       {{std::string(kHeaderTraceparent), "00-trace"}}));
  ASSERT_THAT(batch.dead_letters, SizeIs(1));
  EXPECT_EQ(batch.dead_letters[0].traceparent, "00-trace");
}

// An acceptance replaces what events stated before it.
TEST_F(RecordDecoderTest, TheAcceptanceDeterminesTheTermsOfAnAlert) {
  AlertTerms by_event;
  by_event.client_id = "hospital";
  by_event.priority = v1::PRIORITY_BULK;
  AlertTerms acceptance = by_event;
  acceptance.priority = v1::PRIORITY_HIGH;
  acceptance.create_time_us = 7;
  for (const bool event_first : {true, false}) {
    AlertTerms terms;
    EXPECT_TRUE(Merge(event_first ? by_event : acceptance, terms));
    EXPECT_EQ(Merge(event_first ? acceptance : by_event, terms), event_first);
    EXPECT_EQ(terms.priority, v1::PRIORITY_HIGH);
  }
}

}  // namespace
}  // namespace tocsin::audit
