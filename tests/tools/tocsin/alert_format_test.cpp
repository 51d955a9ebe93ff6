#include "tools/tocsin/alert_format.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

namespace tocsin::cli {
namespace {

using google::protobuf::TextFormat;
using testing::ElementsAre;
using testing::IsEmpty;

v1::Alert AlertOf(const std::string& text) {
  v1::Alert alert;
  EXPECT_TRUE(TextFormat::ParseFromString(text, &alert));
  return alert;
}

constexpr const char* kPlan = R"(
    acknowledgements {
      event_time { seconds: 1793000130 } method: ACKNOWLEDGEMENT_METHOD_REPLY actor_id: "recipient"
      person: "ann"
    }
    plan {
      goal: REACH_ACKNOWLEDGED person_count: 2 deadline { seconds: 1793000900 }
      next_step_time { seconds: 1793000300 }
      steps {
        start_time { seconds: 1793000000 }
        targets {
          number: 1 person: "ann" channel: CHANNEL_SMS masked_recipient: "*******0101"
          status: ATTEMPT_STATUS_DELIVERED reach: REACH_ACKNOWLEDGED
        }
      }
      steps {
        wait_duration { seconds: 120 } start_time { seconds: 1793000120 }
        targets {
          number: 2 person: "ben" channel: CHANNEL_VOICE masked_recipient: "*******0102"
          status: ATTEMPT_STATUS_RINGING
        }
      }
      steps {
        wait_duration { seconds: 90 }
        targets { number: 3 person: "ben" channel: CHANNEL_SMS masked_recipient: "*******0102" }
        targets { number: 4 person: "cleo" channel: CHANNEL_VOICE masked_recipient: "*******0103" }
      }
      steps {
        wait_duration { seconds: 3600 }
        targets { number: 5 person: "dan" channel: CHANNEL_SMS masked_recipient: "*******0104" }
      }
    })";

TEST(PlanLinesTest, ShowTheGoalEachStepEachTargetAndWhoAcknowledged) {
  EXPECT_THAT(PlanLinesOf(AlertOf(kPlan)),
              ElementsAre("  goal ACKNOWLEDGED by 2 persons  deadline 2026-10-26T07:48:20Z",
                          "  step 1  started 2026-10-26T07:33:20Z",
                          "    target 1  ann  SMS to *******0101  DELIVERED  reach ACKNOWLEDGED",
                          "  step 2  2m after step 1  started 2026-10-26T07:35:20Z",
                          "    target 2  ben  VOICE to *******0102  RINGING",
                          "  step 3  90s after step 2  starts by 2026-10-26T07:38:20Z",
                          "    target 3  ben  SMS to *******0102  no attempt",
                          "    target 4  cleo  VOICE to *******0103  no attempt",
                          "  step 4  1h after step 3  not started",
                          "    target 5  dan  SMS to *******0104  no attempt",
                          "  acknowledged by ann (REPLY)  2026-10-26T07:35:30Z"));
}

TEST(PlanLinesTest, ShowNoDeadlineAndNoPersonsForTheGoalDelivered) {
  EXPECT_THAT(PlanLinesOf(AlertOf("plan { goal: REACH_DELIVERED }")),
              ElementsAre("  goal DELIVERED"));
}

TEST(PlanLinesTest, ShowTheActorOfAnAcknowledgementWithoutAPerson) {
  EXPECT_THAT(PlanLinesOf(AlertOf(R"(
                  acknowledgements {
                    event_time { seconds: 1793000130 } method: ACKNOWLEDGEMENT_METHOD_API
                    actor_id: "user-7"
                  }
                  plan { goal: REACH_ACKNOWLEDGED person_count: 1 })")),
              ElementsAre("  goal ACKNOWLEDGED by 1 person",
                          "  acknowledged by user-7 (API)  2026-10-26T07:35:30Z"));
}

TEST(PlanLinesTest, AreEmptyWithoutAPlan) {
  EXPECT_THAT(PlanLinesOf(AlertOf("acknowledgements { person: \"ann\" }")), IsEmpty());
}

TEST(AlertJsonTest, HasThePlan) {
  const nlohmann::json json = ToJson(AlertOf(kPlan), true);
  EXPECT_EQ(json["acknowledgements"][0]["person"], "ann");
  const nlohmann::json& plan = json["plan"];
  EXPECT_EQ(plan["goal"], "ACKNOWLEDGED");
  EXPECT_EQ(plan["person_count"], 2);
  EXPECT_EQ(plan["deadline"], "2026-10-26T07:48:20Z");
  EXPECT_EQ(plan["next_step_time"], "2026-10-26T07:38:20Z");
  ASSERT_EQ(plan["steps"].size(), 4);
  EXPECT_EQ(plan["steps"][0]["wait_duration"], nullptr);
  EXPECT_EQ(plan["steps"][0]["start_time"], "2026-10-26T07:33:20Z");
  EXPECT_EQ(plan["steps"][2]["wait_duration"], "90s");
  EXPECT_EQ(plan["steps"][2]["start_time"], nullptr);
  EXPECT_EQ(plan["steps"][0]["targets"][0], (nlohmann::json{{"number", 1},
                                                            {"person", "ann"},
                                                            {"channel", "SMS"},
                                                            {"masked_recipient", "*******0101"},
                                                            {"status", "DELIVERED"},
                                                            {"reach", "ACKNOWLEDGED"}}));
  EXPECT_EQ(plan["steps"][3]["targets"][0]["status"], nullptr);
  EXPECT_EQ(plan["steps"][3]["targets"][0]["reach"], nullptr);
}

TEST(AlertJsonTest, HasNoPlanInAListAndNullWithoutAPlan) {
  EXPECT_FALSE(ToJson(AlertOf(kPlan), false).contains("plan"));
  EXPECT_EQ(ToJson(v1::Alert(), true).at("plan"), nullptr);
}

TEST(StateTest, NotAcknowledgedIsFinalAndHasItsName) {
  EXPECT_TRUE(IsFinal(v1::ALERT_STATE_NOT_ACKNOWLEDGED));
  EXPECT_EQ(NameOf(v1::ALERT_STATE_NOT_ACKNOWLEDGED), "NOT_ACKNOWLEDGED");
  EXPECT_EQ(FindChoice(kStates, "not_acknowledged"), v1::ALERT_STATE_NOT_ACKNOWLEDGED);
}

TEST(StateTest, EveryStateHasAChoice) {
  for (int state = v1::AlertState_MIN + 1; state <= v1::AlertState_MAX; ++state)
    EXPECT_TRUE(FindChoice(kStates, NameOf(static_cast<v1::AlertState>(state)))) << state;
}

}  // namespace
}  // namespace tocsin::cli
