#include "common/domain/registry/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/registry.h"

namespace tocsin {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAre;

TEST(RegistryTest, AuthenticatesAClientByKeyAndScope) {  // A6
  const auto registry = Built(TestRegistry());
  EXPECT_EQ(registry->Authenticate(kTestKey, Scope::kSend), "demo");
  const Error denied = registry->Authenticate(kTestKey, Scope::kAdmin).error();
  EXPECT_EQ(denied.code, ErrorCode::kPermissionDenied);
  EXPECT_THAT(denied.message, HasSubstr("'admin'"));
  for (const std::string& key : {std::string(), std::string("tk_test_"), kTestKey + "x",
                                 std::string(5000, 'a'), std::string("tk_test_wrong")})
    EXPECT_EQ(registry->Authenticate(key, Scope::kSend).error().code, ErrorCode::kUnauthenticated);
}

TEST(RegistryTest, ReservesADedicatedSenderForItsPriority) {  // A4
  const auto registry = Built(TestRegistry());
  const auto sender = [&](v1::Priority priority, std::string_view wanted = "") {
    return (*registry->SenderFor("+15145550123", v1::CHANNEL_SMS, priority, wanted))->id;
  };
  EXPECT_EQ(sender(v1::PRIORITY_EMERGENCY), "urgent");
  EXPECT_EQ(sender(v1::PRIORITY_BULK), "main");
  EXPECT_EQ(sender(v1::PRIORITY_BULK, "main"), "main");
  EXPECT_EQ(sender(v1::PRIORITY_EMERGENCY, "urgent"), "urgent");
}

TEST(RegistryTest, RefusesASenderOfOtherPrioritiesByItsField) {  // A4
  const auto registry = Built(TestRegistry());
  const auto refused = [&](v1::Priority priority, std::string_view wanted) {
    return registry->SenderFor("+15145550123", v1::CHANNEL_SMS, priority, wanted).error();
  };
  for (const Error& error :
       {refused(v1::PRIORITY_BULK, "urgent"), refused(v1::PRIORITY_EMERGENCY, "main")}) {
    EXPECT_EQ(error.code, ErrorCode::kNoRoute);
    EXPECT_EQ(error.field, "sender_id");
    EXPECT_THAT(error.message, HasSubstr("other priorities"));
  }
}

TEST(RegistryTest, UsesAGeneralSenderByIdForAPriorityWithoutItsOwn) {  // A4
  auto content = TestRegistry();
  content.senders.pop_back();  // the one of emergencies
  EXPECT_EQ(
      (*Built(content)->SenderFor("+15145550123", v1::CHANNEL_SMS, v1::PRIORITY_EMERGENCY, "main"))
          ->id,
      "main");
}

TEST(RegistryTest, HasTheRegionsOfItsSenders) {
  auto content = TestRegistry();
  content.senders.push_back({.id = "de",
                             .number = "+4930901820",
                             .messaging_service_sid = {},
                             .account_sid = kTestAccount,
                             .channels = {v1::CHANNEL_SMS},
                             .priorities = {}});
  EXPECT_THAT(Built(content)->Regions(), UnorderedElementsAre("DE", "US"));
}

TEST(RegistryTest, NamesWhatIsMissingWhenNoSenderIsFound) {  // L5
  auto content = TestRegistry();
  content.routes = {{"^\\+49", 1, kTestAccount}};
  const auto registry = Built(content);
  const auto sender = registry->SenderFor("+15145550123", v1::CHANNEL_SMS, v1::PRIORITY_HIGH, "");
  ASSERT_FALSE(sender);
  EXPECT_EQ(sender.error().code, ErrorCode::kNoRoute);
  EXPECT_FALSE(registry->SenderFor("+4930901820", v1::CHANNEL_VOICE, v1::PRIORITY_HIGH, ""));
  EXPECT_FALSE(registry->SenderFor("+4930901820", v1::CHANNEL_SMS, v1::PRIORITY_HIGH, "nobody"));
}

TEST(RegistryTest, EvaluatesRoutesInOrderOfPriority) {  // L5
  auto content = TestRegistry();
  content.accounts.push_back({"AC2", Secret("t"), Secret()});
  content.senders.push_back({.id = "second",
                             .number = "+15017122669",
                             .messaging_service_sid = {},
                             .account_sid = "AC2",
                             .channels = {v1::CHANNEL_SMS},
                             .priorities = {}});
  content.routes = {{"^\\+", 9, kTestAccount}, {"^\\+1514", 1, "AC2"}};
  const auto registry = Built(content);
  const auto at = [&](const char* number) {
    return (*registry->SenderFor(number, v1::CHANNEL_SMS, v1::PRIORITY_HIGH, ""))->account_sid;
  };
  EXPECT_EQ(at("+15145550123"), "AC2");
  EXPECT_EQ(at("+14165550123"), kTestAccount);
}

struct Broken {
  const char* name;
  void (*breaks)(RegistrySnapshot::Content&);
};
class RegistryRefuses : public testing::TestWithParam<Broken> {};
TEST_P(RegistryRefuses, InconsistentEntries) {
  auto content = TestRegistry();
  GetParam().breaks(content);
  const auto registry = RegistrySnapshot::Build(content);
  ASSERT_FALSE(registry);
  EXPECT_EQ(registry.error().code, ErrorCode::kInvalidConfig);
}
INSTANTIATE_TEST_SUITE_P(
    Rows, RegistryRefuses,
    testing::Values(
        Broken{"client_twice", [](auto& c) { c.clients.push_back(c.clients[0]); }},
        Broken{"sender_twice", [](auto& c) { c.senders.push_back(c.senders[0]); }},
        Broken{"short_digest", [](auto& c) { c.clients[0].api_keys[0].sha256_hex = "abcd"; }},
        Broken{"unknown_account_of_sender", [](auto& c) { c.senders[0].account_sid = "AC9"; }},
        Broken{"unknown_account_of_route", [](auto& c) { c.routes[0].account_sid = "AC9"; }},
        Broken{"no_address", [](auto& c) { c.senders[0].number.clear(); }},
        Broken{"rate_of_nothing", [](auto& c) { c.senders[0].segments_per_second = 0; }},
        Broken{"bad_pattern", [](auto& c) { c.routes[0].pattern = "(+"; }},
        Broken{"pattern_too_large", [](auto& c) { c.routes[0].pattern = "((a{100}){100}){100}"; }}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace tocsin
