#include "services/audit/query/alert_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/audit/projection/projection.h"
#include "tests/fakes/vault.h"
#include "tests/services/audit/audit_database.h"
#include "tests/services/audit/record_builder.h"

namespace tocsin::audit {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kNumber[] = "+15145550123";

class AlertListTest : public testing::Test {
 protected:
  void SetUp() override { ClearTables(AuditDatabase()); }

  // Accepts alert `number`, `number` seconds after the first.
  void Accept(
      int number, const std::string& client = "hospital",
      const std::function<void(records::v1::WorkRecord&)>& change = [](records::v1::WorkRecord&) {
      }) {
    IncomingRecord record = build.Accepted(AlertIdOf(number), client);
    records::v1::WorkRecord work;
    ASSERT_TRUE(work.ParseFromString(record.value));
    work.set_create_time_us(kCreateTimeUs + number * 1'000'000LL);
    change(work);
    record.value = work.SerializeAsString();
    Apply(record);
  }

  void Apply(const IncomingRecord& record) { ASSERT_TRUE(projection.Apply(std::span(&record, 1))); }

  Result<v1::ListAlertsResponse> List(const v1::ListAlertsRequest& request,
                                      const std::string& client = "hospital") {
    TOCSIN_TRY(const AlertFilter filter, ParseListAlerts(request, client, vault));
    return ListAlerts(session, filter, vault);
  }

  // The numbers of the listed alerts.
  std::vector<int> Numbers(const v1::ListAlertsRequest& request,
                           const std::string& client = "hospital") {
    const auto listed = List(request, client);
    std::vector<int> numbers;
    if (!listed) ADD_FAILURE() << listed.error().message;
    if (!listed) return numbers;
    for (const v1::Alert& alert : listed->alerts())
      numbers.push_back(
          static_cast<int>(alert.create_time().seconds() - kCreateTimeUs / 1'000'000));
    return numbers;
  }

  std::string InvalidField(const v1::ListAlertsRequest& request,
                           const std::string& client = "hospital") {
    const auto filter = ParseListAlerts(request, client, vault);
    return filter ? "none" : filter.error().field;
  }

  RecordBuilder build;
  FakeVault vault;
  Projection projection{AuditDatabase(), "cluster", ProjectedTopics(Topics())};
  postgres::Session session{AuditDatabase()};
};

// A2
TEST_F(AlertListTest, ListsTheClientsAlertsNewestFirst) {
  for (const int number : {2, 1, 3}) Accept(number);
  Accept(4, "another");
  EXPECT_THAT(Numbers({}), ElementsAre(3, 2, 1));
  EXPECT_THAT(Numbers({}, "another"), ElementsAre(4));
  EXPECT_THAT(Numbers({}, "stranger"), IsEmpty());
}

// The id of an alert with an idempotency key contains only its day.
TEST_F(AlertListTest, SortsByCreateTimeNotById) {
  Accept(9, "hospital",
         [](records::v1::WorkRecord& work) { work.set_create_time_us(kCreateTimeUs); });
  Accept(1);
  EXPECT_THAT(Numbers({}), ElementsAre(1, 0));
}

TEST_F(AlertListTest, ListsEachAlertOnceInPages) {
  for (int number = 0; number < 7; ++number) Accept(number);
  v1::ListAlertsRequest request;
  request.set_page_size(3);
  std::vector<int> seen;
  for (int page = 0; page < 3; ++page) {
    for (const int number : Numbers(request)) seen.push_back(number);
    request.set_page_token(List(request)->next_page_token());
  }
  EXPECT_THAT(seen, ElementsAre(6, 5, 4, 3, 2, 1, 0));
  EXPECT_THAT(request.page_token(), IsEmpty());
}

TEST_F(AlertListTest, ReturnsNoTokenAfterALastPageThatIsFull) {
  for (int number = 0; number < 3; ++number) Accept(number);
  v1::ListAlertsRequest request;
  request.set_page_size(3);
  EXPECT_THAT(List(request)->next_page_token(), IsEmpty());
}

TEST_F(AlertListTest, RefusesAPageTokenThatWasChangedOrBelongsToAnotherList) {
  for (int number = 0; number < 3; ++number) Accept(number);
  v1::ListAlertsRequest request;
  request.set_page_size(1);
  const std::string token = List(request)->next_page_token();
  request.set_page_token(token);
  EXPECT_EQ(InvalidField(request), "none");
  request.set_page_size(2);  // pages may differ in size
  EXPECT_EQ(InvalidField(request), "none");
  EXPECT_EQ(InvalidField(request, "another"), "page_token");
  for (size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    request.set_page_token(changed);
    EXPECT_EQ(InvalidField(request), "page_token") << i;
  }
  for (const std::string& broken :
       {token.substr(1), token + "A", std::string("?"), std::string(100'000, 'A')}) {
    request.set_page_token(broken);
    EXPECT_EQ(InvalidField(request), "page_token");
  }
  request.set_page_token(token);
  request.add_states(v1::ALERT_STATE_PENDING);
  EXPECT_EQ(InvalidField(request), "page_token");
}

TEST_F(AlertListTest, FiltersByState) {
  for (int number = 1; number <= 3; ++number) Accept(number);
  Apply(build.Changed(AlertIdOf(1), v1::ATTEMPT_STATUS_DELIVERED, 5));
  Apply(build.Changed(AlertIdOf(2), v1::ATTEMPT_STATUS_FAILED, 5, "", "TWILIO_API_ERROR", 21211));
  const auto with = [&](std::initializer_list<v1::AlertState> states) {
    v1::ListAlertsRequest request;
    for (const v1::AlertState state : states) request.add_states(state);
    return Numbers(request);
  };
  EXPECT_THAT(with({v1::ALERT_STATE_DELIVERED}), ElementsAre(1));
  EXPECT_THAT(with({v1::ALERT_STATE_FAILED}), ElementsAre(2));
  EXPECT_THAT(with({v1::ALERT_STATE_PENDING}), ElementsAre(3));
  EXPECT_THAT(with({v1::ALERT_STATE_PENDING, v1::ALERT_STATE_SENDING}), ElementsAre(3));
  EXPECT_THAT(with({v1::ALERT_STATE_FAILED, v1::ALERT_STATE_EXPIRED}), ElementsAre(2));
  EXPECT_THAT(with({v1::ALERT_STATE_FAILED, v1::ALERT_STATE_DELIVERED}), ElementsAre(2, 1));
  EXPECT_THAT(with({v1::ALERT_STATE_FAILED, v1::ALERT_STATE_PENDING}), ElementsAre(3, 2));
}

TEST_F(AlertListTest, FiltersByPriorityChannelLabelsTimeAndRecipient) {
  Accept(1);
  Accept(2, "hospital", [&](records::v1::WorkRecord& work) {
    work.set_priority(v1::PRIORITY_EMERGENCY);
    work.set_channel(v1::CHANNEL_VOICE);
    *work.mutable_recipient() = vault.MakeRecipientRef(*Phone::Parse(kNumber));
    (*work.mutable_labels())["floor"] = "3";
  });
  v1::ListAlertsRequest request;
  request.add_priorities(v1::PRIORITY_EMERGENCY);
  EXPECT_THAT(Numbers(request), ElementsAre(2));
  request.Clear();
  request.set_channel(v1::CHANNEL_VOICE);
  EXPECT_THAT(Numbers(request), ElementsAre(2));
  request.Clear();
  (*request.mutable_labels())["ward \"7\""] = "a\\b";
  EXPECT_THAT(Numbers(request), ElementsAre(2, 1));
  (*request.mutable_labels())["floor"] = "3";
  EXPECT_THAT(Numbers(request), ElementsAre(2));
  request.Clear();
  request.set_recipient_phone_number("+1 514 555-0123");
  EXPECT_THAT(Numbers(request), ElementsAre(2));
  EXPECT_THAT(Numbers(request, "another"), IsEmpty());
  request.Clear();
  request.mutable_min_create_time()->set_seconds(kCreateTimeUs / 1'000'000 + 2);
  EXPECT_THAT(Numbers(request), ElementsAre(2));
  request.Clear();
  request.mutable_max_create_time()->set_seconds(kCreateTimeUs / 1'000'000 + 2);
  EXPECT_THAT(Numbers(request), ElementsAre(1));
}

// Alert `number` expires `number` seconds after the first.
TEST_F(AlertListTest, FiltersByExpireTime) {
  for (int number = 1; number <= 4; ++number)
    Accept(number, "hospital", [&](records::v1::WorkRecord& work) {
      work.set_expire_time_us(kCreateTimeUs + 3'600'000'000 + number * 1'000'000);
    });
  Apply(build.Changed(AlertIdOf(2), v1::ATTEMPT_STATUS_DELIVERED, 5));
  const std::int64_t first = kCreateTimeUs / 1'000'000 + 3'600;
  v1::ListAlertsRequest request;
  request.mutable_max_expire_time()->set_seconds(first + 4);
  EXPECT_THAT(Numbers(request), ElementsAre(3, 2, 1));
  request.mutable_min_expire_time()->set_seconds(first + 2);
  EXPECT_THAT(Numbers(request), ElementsAre(3, 2));
  request.clear_max_expire_time();
  EXPECT_THAT(Numbers(request), ElementsAre(4, 3, 2));
}

// A2
TEST_F(AlertListTest, ListsOverdueAlertsInPages) {
  for (int number = 1; number <= 5; ++number)
    Accept(number, "hospital", [&](records::v1::WorkRecord& work) {
      work.set_priority(number == 4 ? v1::PRIORITY_BULK : v1::PRIORITY_HIGH);
      // The higher the number, the earlier it expires.
      work.set_expire_time_us(kCreateTimeUs + 3'600'000'000 - number * 60'000'000);
    });
  Accept(6, "another");
  Apply(build.Changed(AlertIdOf(5), v1::ATTEMPT_STATUS_DELIVERED, 5));
  v1::ListAlertsRequest request;
  for (const auto state : {v1::ALERT_STATE_PENDING, v1::ALERT_STATE_SENDING, v1::ALERT_STATE_SENT})
    request.add_states(state);
  request.mutable_max_expire_time()->set_seconds(kCreateTimeUs / 1'000'000 + 3'600 - 90);
  EXPECT_THAT(Numbers(request), ElementsAre(4, 3, 2));
  request.set_page_size(2);
  EXPECT_THAT(Numbers(request), ElementsAre(4, 3));
  request.set_page_token(List(request)->next_page_token());
  EXPECT_THAT(Numbers(request), ElementsAre(2));
  request.clear_page_token();
  request.add_priorities(v1::PRIORITY_BULK);
  EXPECT_THAT(Numbers(request), ElementsAre(4));
}

// Priorities, channels, and states in progress and final ones have different index ranges.
TEST_F(AlertListTest, AFilterThatIsDividedIntoPartsReturnsOneList) {
  for (int number = 1; number <= 6; ++number)
    Accept(number, "hospital", [&](records::v1::WorkRecord& work) {
      work.set_priority(number % 2 == 0 ? v1::PRIORITY_BULK : v1::PRIORITY_EMERGENCY);
      work.set_channel(number <= 3 ? v1::CHANNEL_SMS : v1::CHANNEL_VOICE);
    });
  Apply(build.Changed(AlertIdOf(2), v1::ATTEMPT_STATUS_DELIVERED, 5));
  Apply(build.Changed(AlertIdOf(5), v1::ATTEMPT_STATUS_FAILED, 5, "", "TWILIO_API_ERROR", 21211));
  v1::ListAlertsRequest request;
  request.set_channel(v1::CHANNEL_VOICE);
  EXPECT_THAT(Numbers(request), ElementsAre(6, 5, 4));
  request.add_states(v1::ALERT_STATE_PENDING);
  request.add_states(v1::ALERT_STATE_DELIVERED);
  EXPECT_THAT(Numbers(request), ElementsAre(6, 4));
  request.clear_channel();
  request.add_priorities(v1::PRIORITY_EMERGENCY);
  request.add_priorities(v1::PRIORITY_BULK);
  request.set_page_size(3);
  EXPECT_THAT(Numbers(request), ElementsAre(6, 4, 3));
  request.set_page_token(List(request)->next_page_token());
  EXPECT_THAT(Numbers(request), ElementsAre(2, 1));
}

TEST_F(AlertListTest, NamesTheInvalidField) {
  v1::ListAlertsRequest request;
  request.set_page_size(-1);
  EXPECT_EQ(InvalidField(request), "page_size");
  request.Clear();
  request.add_states(static_cast<v1::AlertState>(99));
  EXPECT_EQ(InvalidField(request), "states");
  request.Clear();
  request.add_priorities(v1::PRIORITY_UNSPECIFIED);
  EXPECT_EQ(InvalidField(request), "priorities");
  request.Clear();
  request.set_channel(static_cast<v1::Channel>(99));
  EXPECT_EQ(InvalidField(request), "channel");
  request.Clear();
  request.set_recipient_phone_number("nobody");
  EXPECT_EQ(InvalidField(request), "recipient_phone_number");
  request.Clear();
  request.mutable_min_create_time()->set_seconds(-1);
  EXPECT_EQ(InvalidField(request), "min_create_time");
  request.Clear();
  request.mutable_max_create_time()->set_nanos(-1);
  EXPECT_EQ(InvalidField(request), "max_create_time");
  request.Clear();
  request.mutable_min_expire_time()->set_seconds(-1);
  EXPECT_EQ(InvalidField(request), "min_expire_time");
  request.Clear();
  request.mutable_max_expire_time()->set_nanos(-1);
  EXPECT_EQ(InvalidField(request), "max_expire_time");
  request.Clear();
  for (int i = 0; i < 17; ++i) (*request.mutable_labels())[std::to_string(i)] = "x";
  EXPECT_EQ(InvalidField(request), "labels");
}

}  // namespace
}  // namespace tocsin::audit
