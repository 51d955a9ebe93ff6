#include "services/ingress/marking.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "common/base/uuid.h"
#include "tests/fakes/admissions.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/record_log.h"

namespace tocsin::ingress {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

v1::Receipt Refused(int code) {
  v1::Receipt receipt;
  receipt.set_outcome(v1::RECEIPT_OUTCOME_REFUSED);
  receipt.set_provider_code(code);
  return receipt;
}
v1::Receipt Said(v1::ReceiptOutcome outcome) {
  v1::Receipt receipt;
  receipt.set_outcome(outcome);
  return receipt;
}
v1::Receipt Ended(v1::TryStatus status) {
  v1::Receipt receipt = Said(v1::RECEIPT_OUTCOME_ENDED);
  receipt.set_status(status);
  return receipt;
}

struct Row {
  const char* name;
  bool posting;
  std::vector<v1::Receipt> receipts;
  v1::CancelResponse::Outcome outcome;
};
class CancelOutcomeTest : public testing::TestWithParam<Row> {};
TEST_P(CancelOutcomeTest, SaysWhichWon) {  // A2
  EXPECT_EQ(OutcomeOf({.posting = GetParam().posting, .receipts = GetParam().receipts}),
            GetParam().outcome);
}
INSTANTIATE_TEST_SUITE_P(
    Rows, CancelOutcomeTest,
    testing::Values(Row{"before_any_try", false, {}, v1::CancelResponse::OUTCOME_CANCELLED},
                    Row{"while_it_is_posted", true, {}, v1::CancelResponse::OUTCOME_TOO_LATE},
                    Row{"between_waits_for_a_rate",
                        false,
                        {Said(v1::RECEIPT_OUTCOME_RATE_LIMITED),
                         Said(v1::RECEIPT_OUTCOME_NOT_SENT)},
                        v1::CancelResponse::OUTCOME_CANCELLED},
                    Row{"again_after_it_stopped_the_try",
                        false,
                        {Ended(v1::TRY_STATUS_CANCELLED)},
                        v1::CancelResponse::OUTCOME_CANCELLED},
                    Row{"after_it_was_taken",
                        false,
                        {Said(v1::RECEIPT_OUTCOME_ACCEPTED)},
                        v1::CancelResponse::OUTCOME_TOO_LATE},
                    Row{"while_it_is_in_doubt",
                        false,
                        {Said(v1::RECEIPT_OUTCOME_IN_DOUBT)},
                        v1::CancelResponse::OUTCOME_TOO_LATE},
                    Row{"between_a_refusal_and_the_next_try",
                        false,
                        {Refused(20429)},
                        v1::CancelResponse::OUTCOME_TOO_LATE},
                    Row{"after_a_refusal_for_good",
                        false,
                        {Said(v1::RECEIPT_OUTCOME_RATE_LIMITED), Refused(21211)},
                        v1::CancelResponse::OUTCOME_ALREADY_ENDED},
                    Row{"after_it_expired",
                        false,
                        {Ended(v1::TRY_STATUS_EXPIRED)},
                        v1::CancelResponse::OUTCOME_ALREADY_ENDED}),
    [](const auto& row) { return row.param.name; });

class MarkingTest : public testing::Test {
 protected:
  MarkingTest() {
    AdmitRequest request;
    request.alert_id = alert_id;
    request.client_id = "demo";
    admissions.Admit(request, [](const auto&) {});
  }
  Result<v1::CancelResponse> Cancel(const std::string& client, const std::string& id) {
    v1::CancelRequest request;
    request.set_alert_id(id);
    std::optional<Result<v1::CancelResponse>> answer;
    marking.Cancel(client, request, kTrace, [&](auto given) { answer = std::move(given); });
    return *answer;
  }
  Result<v1::AcknowledgeResponse> Acknowledge(const std::string& by) {
    v1::AcknowledgeRequest request;
    request.set_alert_id(alert_id);
    request.set_acknowledged_by(by);
    std::optional<Result<v1::AcknowledgeResponse>> answer;
    marking.Acknowledge("demo", request, kTrace, [&](auto given) { answer = std::move(given); });
    return *answer;
  }
  std::vector<v1::Event> Events() const { return log.On<v1::Event>(topics.Events()); }

  const std::string alert_id = MakeUuidV5("an alert");
  ManualClock clock;
  FakeAdmissions admissions;
  FakeRecordLog log;
  Topics topics{"tocsin"};
  Marking marking{{clock, admissions, log, topics}};
};

TEST_F(MarkingTest, AnswersACancelWithWhoWonAfterItsEventIsOnDisk) {  // A2
  const auto answer = Cancel("demo", alert_id);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->outcome(), v1::CancelResponse::OUTCOME_CANCELLED);
  ASSERT_THAT(Events(), SizeIs(1));
  EXPECT_EQ(Events()[0].cancel_requested().outcome(), "CANCELLED");
  EXPECT_EQ(Events()[0].try_().alert_id(), alert_id);
  EXPECT_EQ(Events()[0].client_id(), "demo");
}

TEST_F(MarkingTest, MakesTheSameEventOfARepetition) {  // A2
  ASSERT_TRUE(Cancel("demo", alert_id));
  clock.Advance(std::chrono::minutes(1));
  ASSERT_TRUE(Cancel("demo", alert_id));
  ASSERT_THAT(Events(), SizeIs(2));
  EXPECT_EQ(Events()[0].SerializeAsString(), Events()[1].SerializeAsString());
}

TEST_F(MarkingTest, KnowsNoAlertOfAnotherClient) {  // A2
  const auto answer = Cancel("another", alert_id);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(Events(), IsEmpty());
}

TEST_F(MarkingTest, NamesTheFieldOfABadRequest) {
  EXPECT_EQ(Cancel("demo", "17").error().field, "alert_id");
  for (const std::string& by : {std::string(), std::string(65, 'x'), std::string("a\nb")})
    EXPECT_EQ(Acknowledge(by).error().field, "acknowledged_by");
}

TEST_F(MarkingTest, TellsWhoAcknowledgedFirst) {  // V6
  EXPECT_TRUE(Acknowledge("ann")->first());
  EXPECT_FALSE(Acknowledge("bob")->first());
  ASSERT_THAT(Events(), SizeIs(2));
  EXPECT_EQ(Events()[1].acknowledged().by(), "ann");
}

TEST_F(MarkingTest, TakesAnyNameThatPeopleWrite) {  // V6
  for (const char* by : {"José", "Zoë Ångström", "佐藤", "àéÿ", "user-7"})
    EXPECT_TRUE(Acknowledge(by)) << by;
  for (const char* by : {"", "a\nb", "\x7f", "\xc2\x85", "\xff", "Jos\xe9"})
    EXPECT_FALSE(Acknowledge(by)) << by;
}

TEST_F(MarkingTest, RefusesWhileTheStoreIsDownAndWhileTheLogIs) {
  admissions.SetDown(true);
  EXPECT_EQ(Cancel("demo", alert_id).error().code, ErrorCode::kRedisUnavailable);
  admissions.SetDown(false);
  log.EndWith(PublishOutcome::kNotPersisted);
  const auto answer = Cancel("demo", alert_id);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kKafkaUnavailable);
  EXPECT_TRUE(answer.error().retry_after);
}

}  // namespace
}  // namespace tocsin::ingress
