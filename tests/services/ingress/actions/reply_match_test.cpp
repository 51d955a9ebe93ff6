#include "services/ingress/actions/reply_match.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tocsin::ingress {
namespace {

using Alert = AckCodeMatches::Alert;
using enum AckReplyKind;
using enum AckReplyResult;

const Alert kWaiting{.alert_id = "1 waits", .step = 1};
const Alert kWaitingNewer{.alert_id = "2 waits", .step = 1};
const Alert kGone{.alert_id = "3 declined", .step = 1, .declined = true};
const Alert kGoneNewer{.alert_id = "4 declined", .step = 1, .declined = true};
const Alert kDone{.alert_id = "5 acknowledged", .step = 1, .acknowledged = true};
const Alert kDoneAfterNo{
    .alert_id = "6 declined, acknowledged", .step = 1, .acknowledged = true, .declined = true};
const Alert kDeclinedByThis{.alert_id = "0 by this", .step = 1, .declined = true, .repeated = true};

struct Row {
  const char* name;
  AckReplyKind kind;
  const char* code;
  std::vector<Alert> alerts;
  int waiting;
  std::string alert;         // that is meant; empty for none
  AckReplyResult otherwise;  // if none is meant
};

class ReplyMatchTest : public testing::TestWithParam<Row> {};

TEST_P(ReplyMatchTest, FindsTheAlertThatAReplyMeans) {  // S7
  const Row& row = GetParam();
  const ReplyMatch match =
      MatchReply(row.kind, row.code, {.alerts = row.alerts, .waiting = row.waiting});
  EXPECT_EQ(match.alert ? match.alert->alert_id : "", row.alert);
  if (!match.alert) {
    EXPECT_EQ(match.otherwise, row.otherwise);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Rows, ReplyMatchTest,
    testing::Values(
        Row{"nothing_open", kDecline, "", {}, 0, "", kNoAlert},
        Row{"a_code_and_nothing_open", kDecline, "1234", {}, 0, "", kNoAlert},
        Row{"an_unknown_code", kDecline, "1234", {}, 2, "", kUnknownCode},
        Row{"no_to_the_only_one", kDecline, "", {kWaiting, kDone}, 1, "1 waits", kNoAlert},
        Row{"yes_to_the_only_one",
            kAcknowledge,
            "",
            {kGone, kWaiting, kDone},
            1,
            "1 waits",
            kNoAlert},
        Row{"no_to_several", kDecline, "", {kWaiting, kWaitingNewer}, 2, "", kSeveral},
        Row{"no_with_the_code_of_two",
            kDecline,
            "1234",
            {kWaiting, kWaitingNewer},
            2,
            "2 waits",
            kNoAlert},
        Row{"yes_after_no", kAcknowledge, "", {kGone, kDone}, 0, "3 declined", kNoAlert},
        Row{"yes_after_two_no", kAcknowledge, "", {kGone, kGoneNewer}, 0, "", kSeveral},
        Row{"yes_with_a_code_after_no",
            kAcknowledge,
            "1234",
            {kGone, kDone},
            0,
            "3 declined",
            kNoAlert},
        Row{"no_after_two_no", kDecline, "", {kGone, kGoneNewer}, 0, "4 declined", kNoAlert},
        Row{"no_after_yes", kDecline, "", {kDone}, 0, "", kAlreadyAcknowledged},
        Row{"no_with_a_code_after_yes", kDecline, "1234", {kDone}, 1, "", kAlreadyAcknowledged},
        Row{"no_after_no_and_yes", kDecline, "1234", {kDoneAfterNo}, 0, "", kAlreadyAcknowledged},
        Row{"yes_after_yes", kAcknowledge, "", {kDone}, 0, "", kNoAlert},
        Row{"yes_with_a_code_after_yes",
            kAcknowledge,
            "1234",
            {kDone},
            0,
            "5 acknowledged",
            kNoAlert},
        Row{"a_repetition",
            kDecline,
            "",
            {kDeclinedByThis, kWaiting, kWaitingNewer},
            2,
            "0 by this",
            kNoAlert}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace tocsin::ingress
