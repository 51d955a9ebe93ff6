#include "tools/twilio-sim/faults.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace tocsin::sim {
namespace {

nlohmann::json Json(const char* text) { return nlohmann::json::parse(text); }

TEST(FaultsTest, ConsumesOneShotFaultsInOrder) {
  Faults faults(1);
  ASSERT_TRUE(faults.Apply(Json(
      R"({"next":[{"kind":"429","retry_after":1},{"kind":"reset_after"},{"kind":"refuse","code":21610}]})")));
  const Fault first = faults.ForCreate(1, false);
  EXPECT_EQ(first.kind, FaultKind::kTooMany);
  EXPECT_EQ(first.retry_after, 1);
  EXPECT_EQ(faults.ForCreate(2, false).kind, FaultKind::kResetAfter);
  EXPECT_EQ(faults.ForCreate(3, false).code, 21610);
  EXPECT_EQ(faults.ForCreate(4, false).kind, FaultKind::kNone);
}

TEST(FaultsTest, AppliesRatesReproducibly) {
  const auto wanted = Json(R"({"seed":5,"create":{"rate_429":0.1,"rate_500_after":0.2}})");
  Faults faults(1);
  Faults again(2);
  ASSERT_TRUE(faults.Apply(wanted));
  ASSERT_TRUE(again.Apply(wanted));
  int too_many = 0;
  int errors = 0;
  for (std::uint64_t i = 1; i <= 10'000; ++i) {
    const FaultKind kind = faults.ForCreate(i, false).kind;
    EXPECT_EQ(kind, again.ForCreate(i, false).kind);
    too_many += kind == FaultKind::kTooMany;
    errors += kind == FaultKind::kError500After;
  }
  EXPECT_NEAR(too_many, 1000, 150);
  EXPECT_NEAR(errors, 2000, 200);
}

TEST(FaultsTest, RefusesUnknownMembersWithoutChanges) {
  Faults faults(1);
  for (const char* text :
       {R"({"creat":{}})", R"({"create":{"rate_430":0.1}})", R"({"create":{"rate_429":1.5}})",
        R"({"create":{"rate_429":0.6,"rate_500":0.6}})", R"({"next":[{"kind":"nothing"}]})",
        R"({"next":[{"kind":"refuse"}]})", R"({"next":{}})", R"({"callback":{"rate":1}})", "[]",
        R"({"create":{"rate_429":1},"list":{"lag":3}})"}) {
    EXPECT_FALSE(faults.Apply(Json(text))) << text;
  }
  EXPECT_EQ(faults.ForCreate(1, false).kind, FaultKind::kNone);
}

TEST(FaultsTest, AcceptsTheRateOfEarlyInBothSections) {
  Faults faults(1);
  ASSERT_TRUE(faults.Apply(Json(R"({"callback":{"rate_early":1,"rate_double":1}})")));
  EXPECT_EQ(faults.ForCreate(1, false).kind, FaultKind::kEarly);
  EXPECT_EQ(faults.ForCallback(1, 4), CallbackFault::kDoubled);
}

TEST(FaultsTest, ClosesAReusedConnectionButNotANewOne) {  // Q2
  Faults faults(1);
  ASSERT_TRUE(faults.Apply(Json(R"({"create":{"rate_close_reused":1}})")));
  EXPECT_EQ(faults.ForCreate(1, true).kind, FaultKind::kCloseReused);
  EXPECT_EQ(faults.ForCreate(2, false).kind, FaultKind::kNone);
}

}  // namespace
}  // namespace tocsin::sim
