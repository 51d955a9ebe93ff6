#include "tools/tocsin/plan_file.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <string>

namespace tocsin::cli {
namespace {

using google::protobuf::TextFormat;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kExample = R"(# of the on-call rota
goal: {acknowledged_by: 2, within: 15m}
steps:
  - targets: [{person: ann, channel: sms, to: "+15145550101"}]
  - after: 2m
    targets: [{person: ann, channel: voice}]
  - after: 3m
    targets:
      - {person: ben, channel: voice, to: +15145550102}
      - person: cleo
        channel: Voice
        to: +1 514 555 0103
        text: Pump 3 has stopped
        sender: sms-1
        language: fr-CA
        voice: Polly.Gabrielle
        machine_detection: true
)";

constexpr const char* kExamplePlan = R"(
    goal { reach: REACH_ACKNOWLEDGED person_count: 2 within { seconds: 900 } }
    steps { targets { person: "ann" channel: CHANNEL_SMS to: "+15145550101" } }
    steps { wait_duration { seconds: 120 } targets { person: "ann" channel: CHANNEL_VOICE } }
    steps {
      wait_duration { seconds: 180 }
      targets { person: "ben" channel: CHANNEL_VOICE to: "+15145550102" }
      targets {
        person: "cleo" channel: CHANNEL_VOICE to: "+1 514 555 0103" text: "Pump 3 has stopped"
        sender_id: "sms-1"
        voice { language_code: "fr-CA" voice: "Polly.Gabrielle" machine_detection: true }
      }
    })";

constexpr const char* kTarget = R"({person: ann, to: "+15145550101"})";

std::string WithTarget(const std::string& target) { return "steps: [{targets: [" + target + "]}]"; }

std::string WithGoal(const std::string& goal) {
  return WithTarget(kTarget) + "\ngoal: " + goal + '\n';
}

// "plan.yaml:LINE:COLUMN: key: reason"
std::string ErrorOf(const std::string& content, bool has_text = true) {
  const auto plan = ParsePlan(content, "plan.yaml", has_text);
  if (plan) return "no error";
  EXPECT_EQ(plan.error().code, ErrorCode::kInvalidArgument);
  return plan.error().field + ": " + plan.error().message;
}

TEST(PlanFileTest, ReadsEveryFieldOfThePlan) {
  const auto plan = ParsePlan(kExample, "plan.yaml", true);
  ASSERT_TRUE(plan) << plan.error().field << plan.error().message;
  v1::Plan expected;
  ASSERT_TRUE(TextFormat::ParseFromString(kExamplePlan, &expected));
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(*plan, expected))
      << plan->DebugString();
}

TEST(PlanFileTest, ReadsWindowsLineBreaksAndADocumentMarker) {
  EXPECT_TRUE(
      ParsePlan("---\r\nsteps:\r\n  - targets:\r\n      - person: ann\r\n        to: "
                "+15145550101\r\n",
                "plan.yaml", true));
}

TEST(PlanFileTest, ReadsAnAliasAsTheValueOfItsAnchor) {
  const auto plan = ParsePlan(
      "steps:\n  - targets: &all [{person: ann, to: +15145550101}]\n  - {after: 1s, targets: "
      "*all}\n",
      "plan.yaml", true);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->steps(1).targets(0).to(), "+15145550101");
}

struct GoodGoal {
  const char* name;
  const char* yaml;
  const char* goal;
};
class GoodGoalTest : public testing::TestWithParam<GoodGoal> {};

TEST_P(GoodGoalTest, IsRead) {
  const auto plan = ParsePlan(WithGoal(GetParam().yaml), "plan.yaml", true);
  ASSERT_TRUE(plan) << plan.error().field << plan.error().message;
  v1::Goal expected;
  ASSERT_TRUE(TextFormat::ParseFromString(GetParam().goal, &expected));
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(plan->goal(), expected))
      << plan->goal().DebugString();
}

INSTANTIATE_TEST_SUITE_P(
    PlanFileTest, GoodGoalTest,
    testing::Values(GoodGoal{"Delivered", "delivered", "reach: REACH_DELIVERED"},
                    GoodGoal{"Human", "human", "reach: REACH_HUMAN"},
                    GoodGoal{"Acknowledged", "acknowledged", "reach: REACH_ACKNOWLEDGED"},
                    GoodGoal{"DeliveredInAMap", "{reach: delivered}", "reach: REACH_DELIVERED"},
                    GoodGoal{"HumanWithin", "{reach: human, within: 5m}",
                             "reach: REACH_HUMAN within { seconds: 300 }"},
                    GoodGoal{"LongestDuration", "{reach: acknowledged, within: 7d}",
                             "reach: REACH_ACKNOWLEDGED within { seconds: 604800 }"},
                    GoodGoal{"ShortestDuration", "{acknowledged_by: 1, within: 1s}",
                             "reach: REACH_ACKNOWLEDGED person_count: 1 within { seconds: 1 }"}),
    [](const auto& test) { return test.param.name; });

TEST(PlanFileTest, LeavesTheGoalToTheServiceIfThereIsNone) {
  EXPECT_FALSE(ParsePlan(WithTarget(kTarget), "plan.yaml", true)->has_goal());
}

struct BadFile {
  const char* name;
  std::string content;
  const char* error;  // after "plan.yaml:"
};
class BadFileTest : public testing::TestWithParam<BadFile> {};

TEST_P(BadFileTest, IsRefusedWithItsPlaceAndFix) {
  const std::string error = ErrorOf(GetParam().content);
  EXPECT_EQ(error, std::string("plan.yaml:") + GetParam().error);
  EXPECT_THAT(error, Not(HasSubstr("555")));
}

std::string Repeated(size_t count, const std::string& text) {
  std::string all;
  for (size_t i = 0; i < count; ++i) all += text;
  return all;
}

const std::string kFirstStep = "steps:\n  - targets: [{person: ann, to: +15145550101}]\n";
const char* const kDurationFix =
    "is not a duration from 1s to 7d; write a number and a unit, such as 30s, 2m or 1h";

INSTANTIATE_TEST_SUITE_P(
    Structure, BadFileTest,
    testing::Values(
        BadFile{"Empty", "", "1:1: is empty; add steps"},
        BadFile{"CommentsOnly", "# later\n", "1:1: is empty; add steps"},
        BadFile{"NotYaml", "steps:\n  - targets: [{person: ann]\n",
                "2:27: is not YAML: illegal flow end; correct the line, or the one before "
                "it"},
        BadFile{"UnknownAlias", WithTarget("{person: ann, to: *+15145550101}"),
                "1:38: is not YAML: the referenced anchor is not defined; correct the line, or the "
                "one before it"},
        BadFile{"NotUtf8", "steps:\n  - \xff\n", "1:1: is not UTF-8; save the file as UTF-8"},
        BadFile{"TooLarge", std::string(kMaxPlanBytes + 1, '#'),
                "1:1: is larger than 64 KiB; shorten the file"},
        BadFile{"TwoDocuments", WithTarget(kTarget) + "\n---\n" + WithTarget(kTarget),
                "2:1: text after the end of the document; remove it, and the line --- if there is "
                "one"},
        BadFile{"CommaAtTheEnd", kFirstStep + ", [{person: ben}]\n",
                "3:1: is not YAML: end of map not found; correct the line, or the one before it"},
        BadFile{"CommaAtTheStart", ", " + kFirstStep,
                "1:1: text after the end of the document; remove it, and the line --- if there is "
                "one"},
        BadFile{"NotAMap", "- targets: []\n",
                "1:1: is not a map; write KEY: VALUE with the keys goal, steps"},
        BadFile{"UnknownKey", kFirstStep + "goals: human\n",
                "3:1: goals: unknown key; use goal, steps"},
        BadFile{"UnknownKeyOfATarget",
                "steps:\n  - targets:\n      - person: ann\n        number: +15145550101\n",
                "4:9: steps[0].targets[0].number: unknown key; use person, channel, to, text, "
                "sender, language, voice, machine_detection"},
        BadFile{"KeyThatMayBeANumber", WithTarget("{person: ann, +15145550101: to}"),
                "1:34: steps[0].targets[0]: unknown key; use person, channel, to, text, sender, "
                "language, voice, machine_detection"},
        BadFile{"KeyThatIsAMap", "{steps: 1}: 2\n", "1:1: unknown key; use goal, steps"},
        BadFile{"KeyTwice", kFirstStep + "steps: []\n",
                "3:1: steps: is given twice; remove one of the two"},
        BadFile{"NoValue", "steps:\n", "1:1: steps: has no value; write one or remove the key"},
        BadFile{"NoSteps", "goal: human\n", "1:1: steps: is missing; add at least one step"},
        BadFile{"EmptySteps", "steps: []\n", "1:8: steps: is empty; add at least one step"},
        BadFile{"StepsAreAMap", "steps: {targets: []}\n",
                "1:8: steps: is not a list; begin each step with \"- \""},
        BadFile{"StepIsAList", "steps:\n  - [ann]\n",
                "2:5: steps[0]: is not a map; write KEY: VALUE with the keys after, targets"},
        BadFile{"TargetIsAText", WithTarget("ann"),
                "1:20: steps[0].targets[0]: is not a map; write KEY: VALUE with the keys person, "
                "channel, to, text, sender, language, voice, machine_detection"},
        BadFile{"NoTargets", kFirstStep + "  - after: 2m\n",
                "3:5: steps[1].targets: is missing; add at least one target"},
        BadFile{"EmptyTargets", kFirstStep + "  - {after: 2m, targets: []}\n",
                "3:26: steps[1].targets: is empty; add at least one target"},
        BadFile{"SeventeenSteps",
                kFirstStep + Repeated(16, "  - {after: 2m, targets: [{person: ann}]}\n"),
                "18:5: steps[16]: exceeds the maximum of 16 steps; remove it, or put its targets "
                "into another step"},
        BadFile{
            "ThirtyThreeTargets",
            kFirstStep + "  - after: 2m\n    targets:\n" + Repeated(32, "      - {person: ann}\n"),
            "36:9: steps[1].targets[31]: exceeds the maximum of 32 targets in all steps; remove "
            "it"},
        BadFile{"RecursiveAlias", "steps: &a [*a]\n",
                "1:8: steps[0]: is not a map; write KEY: VALUE with the keys after, targets"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Steps, BadFileTest,
    testing::Values(
        BadFile{"AfterInTheFirstStep", "steps:\n  - after: 2m\n    targets: [{person: ann}]\n",
                "2:5: steps[0].after: is not allowed in the first step; remove it, or delay the "
                "alert with --send-time"},
        BadFile{"NoAfter", kFirstStep + "  - targets: [{person: ann}]\n",
                "3:5: steps[1].after: is missing; add the time after the start of the step before, "
                "such as 2m"},
        BadFile{"AfterWithoutUnit", kFirstStep + "  - {after: 120, targets: [{person: ann}]}\n",
                "3:13: steps[1].after: is not a duration from 1s to 7d; write a number and a unit, "
                "such as 30s, 2m or 1h"},
        BadFile{"AfterIsAList", kFirstStep + "  - {after: [2m], targets: [{person: ann}]}\n",
                "3:13: steps[1].after: is not a single value; write one text or number"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Targets, BadFileTest,
    testing::Values(
        BadFile{"NoPerson", WithTarget("{to: +15145550101}"),
                "1:20: steps[0].targets[0].person: is missing; add a reference to the person, such "
                "as a user id"},
        BadFile{"PersonWithASpace", WithTarget("{person: Ann Lee, to: +15145550101}"),
                "1:29: steps[0].targets[0].person: is not 1 to 64 printable ASCII characters "
                "without spaces; write a reference such as a user id"},
        BadFile{"LongPerson", WithTarget("{person: " + std::string(65, 'a') + '}'),
                "1:29: steps[0].targets[0].person: is not 1 to 64 printable ASCII characters "
                "without spaces; write a reference such as a user id"},
        BadFile{"EmptyPerson", WithTarget("{person: \"\"}"),
                "1:29: steps[0].targets[0].person: is empty; write a value or remove the key"},
        BadFile{"UnknownChannel", WithTarget("{person: ann, channel: fax, to: +15145550101}"),
                "1:43: steps[0].targets[0].channel: unknown channel; write sms or voice"},
        BadFile{"NoNumber", WithTarget("{person: ann}"),
                "1:20: steps[0].targets[0].to: is missing, and no earlier target of this person "
                "has a number; add to"},
        BadFile{"NumberOfAnotherPerson", kFirstStep + "  - {after: 2m, targets: [{person: ben}]}\n",
                "3:27: steps[1].targets[0].to: is missing, and no earlier target of this person "
                "has a number; add to"},
        BadFile{"NumberGivenLater", WithTarget("{person: ann}, {person: ann, to: +15145550101}"),
                "1:20: steps[0].targets[0].to: is missing, and no earlier target of this person "
                "has a number; add to"},
        BadFile{"NumberWithoutPlus", WithTarget("{person: ann, to: 15145550101}"),
                "1:38: steps[0].targets[0].to: is not a possible phone number; write + and all "
                "digits from the country code on (E.164)"},
        BadFile{"NumberIsAList", WithTarget("{person: ann, to: [+15145550101]}"),
                "1:38: steps[0].targets[0].to: is not a single value; write one text or number"},
        BadFile{"BlankText", WithTarget("{person: ann, to: +15145550101, text: \"  \"}"),
                "1:58: steps[0].targets[0].text: text is blank: it has no visible character; write "
                "a message of 1 to 1600 characters"},
        BadFile{"LongText",
                WithTarget("{person: ann, to: +15145550101, text: " + std::string(1601, 'x') + '}'),
                "1:58: steps[0].targets[0].text: has 1601 characters; the maximum is 1600; write "
                "a message of 1 to 1600 characters"},
        BadFile{"SenderWithALineBreak",
                WithTarget("{person: ann, to: +15145550101, sender: \"a\\nb\"}"),
                "1:60: steps[0].targets[0].sender: has a control character; remove it"},
        BadFile{"LanguageOfAMessage",
                WithTarget("{person: ann, to: +15145550101, language: fr-CA}"),
                "1:52: steps[0].targets[0].language: applies to calls only; remove it or write "
                "channel: voice"},
        BadFile{"MachineDetectionIsANumber",
                WithTarget("{person: ann, channel: voice, to: +15145550101, machine_detection: 1}"),
                "1:87: steps[0].targets[0].machine_detection: is not a boolean; write true or "
                "false"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Goals, BadFileTest,
    testing::Values(
        BadFile{"Unknown", WithGoal("seen"),
                "2:7: goal: unknown goal; write one of delivered, human, acknowledged"},
        BadFile{"UnknownReach", WithGoal("{reach: machine}"),
                "2:15: goal.reach: unknown goal; write one of delivered, human, acknowledged"},
        BadFile{"AList", WithGoal("[human]"),
                "2:7: goal: is not a map; write KEY: VALUE with the keys reach, acknowledged_by, "
                "within"},
        BadFile{"UnknownKey", WithGoal("{acknowledged: 2}"),
                "2:8: goal.acknowledged: unknown key; use reach, acknowledged_by, within"},
        BadFile{"ReachAndAcknowledgedBy", WithGoal("{reach: human, acknowledged_by: 1}"),
                "2:22: goal.acknowledged_by: excludes reach; remove one of the two"},
        BadFile{"WithinAlone", WithGoal("{within: 5m}"),
                "2:7: goal: has neither reach nor acknowledged_by; add one of the two"},
        BadFile{"WithinOfDelivered", WithGoal("{reach: delivered, within: 5m}"),
                "2:26: goal.within: is not allowed with the goal delivered; remove it, or write "
                "reach: human or reach: acknowledged"},
        BadFile{
            "QuorumAbovePersons", WithGoal("{acknowledged_by: 2}"),
            "2:25: goal.acknowledged_by: exceeds the number of persons in the plan; write 1, or "
            "add persons"},
        BadFile{"QuorumCountsPersonsOnce",
                kFirstStep + "  - {after: 2m, targets: [{person: ann, channel: voice}, {person: "
                             "ben, to: +15145550102}]}\ngoal: {acknowledged_by: 3}\n",
                "4:25: goal.acknowledged_by: exceeds the number of persons in the plan; write a "
                "number from 1 to 2, or add persons"},
        BadFile{"QuorumOfZero", WithGoal("{acknowledged_by: 0}"),
                "2:25: goal.acknowledged_by: is not a number of persons; write 1"},
        BadFile{"QuorumIsAText", WithGoal("{acknowledged_by: all}"),
                "2:25: goal.acknowledged_by: is not a number of persons; write 1"},
        BadFile{"QuorumIsNegative", WithGoal("{acknowledged_by: -1}"),
                "2:25: goal.acknowledged_by: is not a number of persons; write 1"}),
    [](const auto& test) { return test.param.name; });

TEST(PlanFileTest, RefusesEveryOtherDuration) {
  for (const char* duration : {"0s", "-1s", "8d", "604801s", "1.5m", "m", "2 m", "2min", "1h30m",
                               "99999999999999999999s", "500ms", "5M"})
    EXPECT_EQ(ErrorOf(WithGoal(std::string("{reach: human, within: ") + duration + '}')),
              std::string("plan.yaml:2:30: goal.within: ") + kDurationFix)
        << duration;
}

TEST(PlanFileTest, RequiresATextForEveryTargetIfTheAlertHasNone) {
  EXPECT_EQ(
      ErrorOf(kExample, false),
      "plan.yaml:4:15: steps[0].targets[0].text: is missing; add text, or give a text for all "
      "targets with --text");
  EXPECT_TRUE(ParsePlan(WithTarget("{person: ann, to: +15145550101, text: Pump 3 has stopped}"),
                        "plan.yaml", false));
}

}  // namespace
}  // namespace tocsin::cli
