#include "common/domain/request_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>

namespace tocsin {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::seconds;

constexpr WallTime kNow{seconds(1'800'000'000)};

void SetTime(google::protobuf::Timestamp& stamp, WallTime time) {
  stamp.set_seconds(ToUnixMicros(time) / 1'000'000);
  stamp.set_nanos(static_cast<std::int32_t>(ToUnixMicros(time) % 1'000'000 * 1000));
}

struct Row {
  const char* name;
  const char* field;  // of the refusal; empty: taken
  std::function<void(v1::EnqueueRequest&)> change;
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

class SendWindowRule : public testing::TestWithParam<Row> {};

TEST_P(SendWindowRule, IsKeptByTheRequestAlone) {
  v1::EnqueueRequest request;
  GetParam().change(request);
  const auto window = SendWindowOf(request, kNow);
  EXPECT_EQ(window ? "" : window.error().field, GetParam().field);
  if (!window) return;
  EXPECT_GT(window->not_after, std::max(window->send_at, kNow));
  EXPECT_LE(window->not_after, kNow + kHorizon);
}

const Row kRows[] = {
    {"NoTime", "", [](auto&) {}},
    {"SendAtPast", "", [](auto& r) { SetTime(*r.mutable_send_at(), kNow - hours(1)); }},
    {"SendAtBefore1970", "send_at", [](auto& r) { r.mutable_send_at()->set_seconds(-1); }},
    {"SendAtNearTheHorizon", "",
     [](auto& r) { SetTime(*r.mutable_send_at(), kNow + days(7) - seconds(1)); }},
    {"SendAtTheHorizon", "send_at", [](auto& r) { SetTime(*r.mutable_send_at(), kNow + days(7)); }},
    {"SendAtTooFar", "send_at",
     [](auto& r) { SetTime(*r.mutable_send_at(), kNow + days(7) + seconds(1)); }},
    {"ExpiresNow", "expires_at", [](auto& r) { SetTime(*r.mutable_expires_at(), kNow); }},
    {"ExpiresInASecond", "", [](auto& r) { SetTime(*r.mutable_expires_at(), kNow + seconds(1)); }},
    {"ExpiresAtTheHorizon", "", [](auto& r) { SetTime(*r.mutable_expires_at(), kNow + days(7)); }},
    {"ExpiresTooFar", "expires_at",
     [](auto& r) { SetTime(*r.mutable_expires_at(), kNow + days(7) + seconds(1)); }},
    {"ExpiresWithItsSendAt", "expires_at",
     [](auto& r) {
       SetTime(*r.mutable_send_at(), kNow + hours(1));
       SetTime(*r.mutable_expires_at(), kNow + hours(1));
     }},
};
INSTANTIATE_TEST_SUITE_P(Each, SendWindowRule, testing::ValuesIn(kRows),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(SendWindow, OfNoClassIsThatOfANormalOne) {
  v1::EnqueueRequest request;
  EXPECT_EQ(SendWindowOf(request, kNow)->not_after, kNow + hours(24));
  request.set_class_(v1::ALERT_CLASS_EMERGENCY);
  EXPECT_EQ(SendWindowOf(request, kNow)->not_after, kNow + hours(1));
}

TEST(RequestRules, RefuseATextWithNulAndAKeyWithABlank) {
  EXPECT_FALSE(CheckText(std::string("a\0b", 3)));
  EXPECT_FALSE(CheckText(""));
  EXPECT_TRUE(CheckText(std::string(kMaxTextCharacters, 'a')));
  EXPECT_FALSE(CheckText(std::string(kMaxTextCharacters + 1, 'a')));
  EXPECT_FALSE(CheckKey("two words"));
  EXPECT_TRUE(CheckKey(std::string(kMaxKeyCharacters, '~')));
}

}  // namespace
}  // namespace tocsin
