// What the version before wrote to Kafka keeps its meaning. O7
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "common/domain/alert/ids.h"
#include "common/domain/registry/consents.h"
#include "common/ports/accepted_alert.h"
#include "common/ports/outgoing_record.h"
#include "common/ports/sealed_content.h"
#include "common/twilio/webhooks/attempt_token.h"
#include "services/audit/projection/record_decoder.h"
#include "services/ingress/acceptance/request.h"
#include "tests/wire/recorded.h"

namespace tocsin::wire {
namespace {

using google::protobuf::Message;
using testing::HasSubstr;
using testing::IsSupersetOf;

class RecordsTest : public testing::Test {
 protected:
  // The records of one message.
  template <typename T>
  std::vector<T> All() const {
    std::vector<T> found;
    for (const RecordedRecord& row : recorded.records) {
      if (row.schema != T::descriptor()->full_name()) continue;
      EXPECT_TRUE(found.emplace_back().ParseFromString(row.record.value));
    }
    EXPECT_FALSE(found.empty()) << T::descriptor()->full_name();
    return found;
  }

  const v1::EnqueueRequest& RequestOf(const std::string& alert_id) const {
    for (const RecordedAlert& alert : recorded.alerts)
      if (alert.alert_id == alert_id) return alert.request;
    throw std::runtime_error("no alert " + alert_id);
  }

  const Recorded& recorded = ReadRecorded();
  crypto::KeyringVault vault = recorded.Vault();
};

std::unique_ptr<Message> NewMessage(const std::string& name) {
  const auto* type =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
  if (type == nullptr) return nullptr;
  return std::unique_ptr<Message>(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
}

TEST_F(RecordsTest, CoverEveryMessage) {
  std::set<std::string> schemas;
  for (const RecordedRecord& row : recorded.records) schemas.insert(row.schema);
  EXPECT_THAT(schemas,
              IsSupersetOf({"tocsin.records.v1.WorkRecord", "tocsin.records.v1.Event",
                            "tocsin.records.v1.WebhookRecord", "tocsin.records.v1.DeadLetterRecord",
                            "tocsin.records.v1.ConsentRecord"}));
}

TEST_F(RecordsTest, HaveTheRecordedText) {
  for (const RecordedRecord& row : recorded.records) {
    const auto read = NewMessage(row.schema);
    const auto expected = NewMessage(row.schema);
    ASSERT_TRUE(read) << row.schema;
    ASSERT_TRUE(read->ParseFromString(row.record.value));
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(row.text, expected.get()));
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(*read, *expected)) << row.text;
  }
}

TEST_F(RecordsTest, OfAWorkerAreOpenedWithTheRecordedKeyring) {
  for (const auto& work : All<records::v1::WorkRecord>()) {
    const auto content = OpenContent(vault, work);
    ASSERT_TRUE(content) << content.error().message;
    const v1::EnqueueRequest& request = RequestOf(work.attempt().alert_id());
    EXPECT_EQ(content->to(), request.to());
    EXPECT_EQ(content->text(), request.text());
    EXPECT_EQ(vault.MakeRecipientRef(*Phone::Parse(content->to())).SerializeAsString(),
              work.recipient().SerializeAsString());
    EXPECT_EQ(vault.DigestBody(content->text()).substr(0, work.body_digest().size()),
              work.body_digest());
    auto moved = work;
    moved.mutable_attempt()->set_alert_id("01990000-aaaa-7bbb-8ccc-dddddddddddd");
    EXPECT_EQ(OpenContent(vault, moved).error().code, ErrorCode::kDataCorrupted);
  }
}

TEST_F(RecordsTest, OfDeadLettersAreOpenedWithTheRecordedKeyring) {
  for (const auto& letter : All<records::v1::DeadLetterRecord>()) {
    const auto content = OpenContent(vault, letter.work());
    ASSERT_TRUE(content) << content.error().message;
    EXPECT_EQ(content->to(), RequestOf(letter.work().attempt().alert_id()).to());
  }
}

TEST_F(RecordsTest, OfWebhooksAreOpenedWithTheRecordedKeyring) {
  for (const auto& webhook : All<records::v1::WebhookRecord>()) {
    const auto body = vault.Open({webhook.account_sid(), webhook.webhook_id(), "raw_body"},
                                 webhook.key(), webhook.raw_body());
    ASSERT_TRUE(body) << body.error().message;
    EXPECT_THAT(body->Reveal(), HasSubstr(webhook.provider_sid()));
    EXPECT_THAT(body->Reveal(), HasSubstr("AccountSid=" + webhook.account_sid()));
  }
}

TEST_F(RecordsTest, AreProjectedByAudit) {
  std::vector<IncomingRecord> records;
  for (const RecordedRecord& row : recorded.records) records.push_back(row.record);
  const audit::Batch batch = DecodeRecords(records, audit::ProjectedTopics(Topics()));
  EXPECT_TRUE(batch.unparsed.empty());
  for (const RecordedAlert& alert : recorded.alerts)
    EXPECT_TRUE(batch.alerts.contains(alert.alert_id)) << alert.alert_id;
  EXPECT_EQ(batch.dead_letters.size(), All<records::v1::DeadLetterRecord>().size());
}

// Otherwise a client that repeats a request after an upgrade gets a conflict or a second alert.
TEST_F(RecordsTest, BelongToRepeatedRequests) {
  size_t keyed = 0;
  for (const RecordedRecord& row : recorded.records) {
    const auto accepted = AcceptedAlertOf(row.record);
    if (!accepted) continue;
    const v1::EnqueueRequest& request = RequestOf(accepted->alert_id);
    EXPECT_EQ(accepted->client_id, recorded.client_id);
    if (request.idempotency_key().empty()) continue;
    ++keyed;
    EXPECT_EQ(accepted->idempotency_digest,
              IdempotencyDigest(recorded.client_id, request.idempotency_key()));
    EXPECT_EQ(accepted->request_digest,
              vault.DigestRequest(
                  ingress::CanonicalForm(request, *ingress::Normalize(request)).Reveal()));
    EXPECT_EQ(accepted->alert_id,
              KeyedAlertId(accepted->create_time, recorded.client_id, request.idempotency_key(),
                           accepted->request_digest));
  }
  EXPECT_GE(keyed, 5U);
}

TEST_F(RecordsTest, ArePointedToByTokensOfCallbacks) {
  ASSERT_FALSE(recorded.tokens.empty());
  std::set<std::string> alerts;
  for (const RecordedAlert& alert : recorded.alerts) alerts.insert(alert.alert_id);
  for (const std::string& token : recorded.tokens) {
    const auto content = twilio::ParseAttemptToken(vault, token);
    ASSERT_TRUE(content) << content.error().message;
    EXPECT_TRUE(alerts.contains(content->attempt.alert_id()));
  }
}

TEST_F(RecordsTest, OfConsentsAreObeyed) {
  ConsentBook consents;
  for (const auto& consent : All<records::v1::ConsentRecord>()) consents.Apply(consent);
  const auto opted_out = [&](const std::string& number) {
    return consents.OptedOut(vault.MakeRecipientRef(*Phone::Parse(number)).token(), "+15017122661");
  };
  EXPECT_TRUE(opted_out("+15145550110"));
  EXPECT_FALSE(opted_out("+15145550111"));
}

}  // namespace
}  // namespace tocsin::wire
