#include "common/ports/outgoing_record.h"

#include <gmock/gmock.h>

namespace tocsin {
namespace {

using testing::ElementsAre;
using testing::Pair;

constexpr const char* kTraceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(OutgoingRecordTest, HasTheSchemaOfItsMessageAndTheTraceparent) {
  records::v1::Event event;
  event.set_event_id("an id");
  const OutgoingRecord record = MakeRecord("topic", "key", event, kTraceparent);
  EXPECT_EQ(record.topic, "topic");
  EXPECT_EQ(record.key, "key");
  EXPECT_EQ(record.value, event.SerializeAsString());
  EXPECT_THAT(record.headers, ElementsAre(Pair("schema", "tocsin.records.v1.Event"),
                                          Pair("traceparent", kTraceparent)));
}

TEST(OutgoingRecordTest, HasNoTraceparentHeaderWithoutATrace) {
  const OutgoingRecord record = MakeRecord("topic", "key", records::v1::Event(), "");
  EXPECT_THAT(record.headers, ElementsAre(Pair("schema", "tocsin.records.v1.Event")));
}

TEST(OutgoingRecordTest, AnAcceptanceNamesItsClientAndHasTheKeyOfItsAlert) {
  records::v1::WorkRecord work;
  work.mutable_attempt()->set_alert_id("an alert");
  work.set_client_id("a client");
  const OutgoingRecord record = MakeAcceptanceRecord("topic", work, kTraceparent);
  EXPECT_EQ(record.key, "an alert");
  EXPECT_THAT(record.headers,
              ElementsAre(Pair("schema", "tocsin.records.v1.WorkRecord"),
                          Pair("traceparent", kTraceparent), Pair("accepts", "a client")));
}

}  // namespace
}  // namespace tocsin
