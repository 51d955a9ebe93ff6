#include "services/audit/alert_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/audit/fold_store.h"
#include "tests/fakes/vault.h"
#include "tests/services/audit/audit_database.h"
#include "tests/services/audit/log_of.h"

namespace tocsin::audit {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kNumber[] = "+15145550123";

class AlertListTest : public testing::Test {
 protected:
  void SetUp() override { Clear(AuditDatabase()); }

  // Alert `number` is accepted `number` seconds after the first.
  void Accept(
      int number, const std::string& client = "hospital",
      const std::function<void(v1::WorkRecord&)>& change = [](v1::WorkRecord&) {}) {
    IncomingRecord record = log.Accepted(AlertIdOf(number), client);
    v1::WorkRecord work;
    ASSERT_TRUE(work.ParseFromString(record.value));
    work.set_accepted_time_us(kAcceptedUs + number * 1'000'000LL);
    change(work);
    record.value = work.SerializeAsString();
    Fold(record);
  }

  void Fold(const IncomingRecord& record) { ASSERT_TRUE(store.Fold(std::span(&record, 1))); }

  Result<v1::ListAlertsResponse> List(const v1::ListAlertsRequest& request,
                                      const std::string& client = "hospital") {
    TOCSIN_TRY(const AlertQuery query, ParseListAlerts(request, client, vault));
    return ListAlerts(session, query, vault);
  }

  // The numbers of the alerts listed.
  std::vector<int> Numbers(const v1::ListAlertsRequest& request,
                           const std::string& client = "hospital") {
    const auto listed = List(request, client);
    std::vector<int> numbers;
    if (!listed) ADD_FAILURE() << listed.error().message;
    if (!listed) return numbers;
    for (const v1::Alert& alert : listed->alerts())
      numbers.push_back(static_cast<int>(alert.accept_time().seconds() - kAcceptedUs / 1'000'000));
    return numbers;
  }

  std::string FieldAtFault(const v1::ListAlertsRequest& request,
                           const std::string& client = "hospital") {
    const auto query = ParseListAlerts(request, client, vault);
    return query ? "none" : query.error().field;
  }

  LogOf log;
  FakeVault vault;
  FoldStore store{AuditDatabase(), "cluster", FoldedTopics(Topics())};
  postgres::Session session{AuditDatabase()};
};

// A2
TEST_F(AlertListTest, ShowsTheNewestFirstAndOnlyWhatTheClientSent) {
  for (const int number : {2, 1, 3}) Accept(number);
  Accept(4, "another");
  EXPECT_THAT(Numbers({}), ElementsAre(3, 2, 1));
  EXPECT_THAT(Numbers({}, "another"), ElementsAre(4));
  EXPECT_THAT(Numbers({}, "stranger"), IsEmpty());
}

// An id under an idempotency key begins with its day, not with its instant.
TEST_F(AlertListTest, GoesByTheTimeOfAcceptanceNotByTheId) {
  Accept(9, "hospital", [](v1::WorkRecord& work) { work.set_accepted_time_us(kAcceptedUs); });
  Accept(1);
  EXPECT_THAT(Numbers({}), ElementsAre(1, 0));
}

TEST_F(AlertListTest, GivesEveryAlertOnceInPages) {
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

TEST_F(AlertListTest, GivesNoTokenBehindAPageThatIsJustFull) {
  for (int number = 0; number < 3; ++number) Accept(number);
  v1::ListAlertsRequest request;
  request.set_page_size(3);
  EXPECT_THAT(List(request)->next_page_token(), IsEmpty());
}

TEST_F(AlertListTest, RefusesATokenThatWasChangedOrIsOfAnotherList) {
  for (int number = 0; number < 3; ++number) Accept(number);
  v1::ListAlertsRequest request;
  request.set_page_size(1);
  const std::string token = List(request)->next_page_token();
  request.set_page_token(token);
  EXPECT_EQ(FieldAtFault(request), "none");
  request.set_page_size(2);  // a page may have another size
  EXPECT_EQ(FieldAtFault(request), "none");
  EXPECT_EQ(FieldAtFault(request, "another"), "page_token");
  for (size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    request.set_page_token(changed);
    EXPECT_EQ(FieldAtFault(request), "page_token") << i;
  }
  for (const std::string& broken :
       {token.substr(1), token + "A", std::string("?"), std::string(100'000, 'A')}) {
    request.set_page_token(broken);
    EXPECT_EQ(FieldAtFault(request), "page_token");
  }
  request.set_page_token(token);
  request.add_states(v1::ALERT_STATE_PENDING);
  EXPECT_EQ(FieldAtFault(request), "page_token");
}

TEST_F(AlertListTest, FiltersByState) {
  for (int number = 1; number <= 3; ++number) Accept(number);
  Fold(log.Changed(AlertIdOf(1), v1::TRY_STATUS_DELIVERED, 5));
  Fold(log.Changed(AlertIdOf(2), v1::TRY_STATUS_FAILED, 5, "", "TWILIO_API_ERROR", 21211));
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

TEST_F(AlertListTest, FiltersByClassChannelLabelsTimeAndRecipient) {
  Accept(1);
  Accept(2, "hospital", [&](v1::WorkRecord& work) {
    work.set_class_(v1::ALERT_CLASS_EMERGENCY);
    work.set_channel(v1::CHANNEL_VOICE);
    *work.mutable_recipient() = vault.Refer(*Phone::Parse(kNumber));
    (*work.mutable_labels())["floor"] = "3";
  });
  v1::ListAlertsRequest request;
  request.add_classes(v1::ALERT_CLASS_EMERGENCY);
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
  request.set_recipient("+1 514 555-0123");
  EXPECT_THAT(Numbers(request), ElementsAre(2));
  EXPECT_THAT(Numbers(request, "another"), IsEmpty());
  request.Clear();
  request.mutable_accepted_after()->set_seconds(kAcceptedUs / 1'000'000 + 2);
  EXPECT_THAT(Numbers(request), ElementsAre(2));
  request.Clear();
  request.mutable_accepted_before()->set_seconds(kAcceptedUs / 1'000'000 + 2);
  EXPECT_THAT(Numbers(request), ElementsAre(1));
}

// Classes, channels, and alerts under way and ended stand in different places of the indexes.
TEST_F(AlertListTest, AListThatIsAskedInPartsIsOneListNewestFirstInPages) {
  for (int number = 1; number <= 6; ++number)
    Accept(number, "hospital", [&](v1::WorkRecord& work) {
      work.set_class_(number % 2 == 0 ? v1::ALERT_CLASS_BULK : v1::ALERT_CLASS_EMERGENCY);
      work.set_channel(number <= 3 ? v1::CHANNEL_SMS : v1::CHANNEL_VOICE);
    });
  Fold(log.Changed(AlertIdOf(2), v1::TRY_STATUS_DELIVERED, 5));
  Fold(log.Changed(AlertIdOf(5), v1::TRY_STATUS_FAILED, 5, "", "TWILIO_API_ERROR", 21211));
  v1::ListAlertsRequest request;
  request.set_channel(v1::CHANNEL_VOICE);
  EXPECT_THAT(Numbers(request), ElementsAre(6, 5, 4));
  request.add_states(v1::ALERT_STATE_PENDING);
  request.add_states(v1::ALERT_STATE_DELIVERED);
  EXPECT_THAT(Numbers(request), ElementsAre(6, 4));
  request.clear_channel();
  request.add_classes(v1::ALERT_CLASS_EMERGENCY);
  request.add_classes(v1::ALERT_CLASS_BULK);
  request.set_page_size(3);
  EXPECT_THAT(Numbers(request), ElementsAre(6, 4, 3));
  request.set_page_token(List(request)->next_page_token());
  EXPECT_THAT(Numbers(request), ElementsAre(2, 1));
}

TEST_F(AlertListTest, NamesTheFieldAtFault) {
  v1::ListAlertsRequest request;
  request.set_page_size(-1);
  EXPECT_EQ(FieldAtFault(request), "page_size");
  request.Clear();
  request.add_states(static_cast<v1::AlertState>(99));
  EXPECT_EQ(FieldAtFault(request), "states");
  request.Clear();
  request.add_classes(v1::ALERT_CLASS_UNSPECIFIED);
  EXPECT_EQ(FieldAtFault(request), "classes");
  request.Clear();
  request.set_channel(static_cast<v1::Channel>(99));
  EXPECT_EQ(FieldAtFault(request), "channel");
  request.Clear();
  request.set_recipient("nobody");
  EXPECT_EQ(FieldAtFault(request), "recipient");
  request.Clear();
  request.mutable_accepted_after()->set_seconds(-1);
  EXPECT_EQ(FieldAtFault(request), "accepted_after");
  request.Clear();
  request.mutable_accepted_before()->set_nanos(-1);
  EXPECT_EQ(FieldAtFault(request), "accepted_before");
  request.Clear();
  for (int i = 0; i < 17; ++i) (*request.mutable_labels())[std::to_string(i)] = "x";
  EXPECT_EQ(FieldAtFault(request), "labels");
}

}  // namespace
}  // namespace tocsin::audit
