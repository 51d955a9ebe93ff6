#include "common/domain/folding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <random>

namespace tocsin {
namespace {

WallTime At(std::int64_t seconds) { return FromUnixMicros(seconds * 1'000'000); }

Fact Told(v1::TryStatus status, std::int64_t seconds, std::string reason = {}) {
  Fact fact;
  fact.id = "event-" + std::to_string(seconds) + v1::TryStatus_Name(status) + reason;
  fact.kind = FactKind::kTryChanged;
  fact.step = 1;
  fact.attempt = 1;
  fact.time = At(seconds);
  fact.status = status;
  fact.reason = std::move(reason);
  return fact;
}

Fact OfTry(std::uint32_t attempt, Fact fact) {
  fact.attempt = attempt;
  fact.id += "#" + std::to_string(attempt);
  return fact;
}

Fact Followed(Fact fact, std::uint32_t next_try) {
  fact.next_try = next_try;
  return fact;
}

Fact Cancelled(std::int64_t seconds, std::string outcome) {
  Fact fact;
  fact.id = "cancel" + std::to_string(seconds);
  fact.kind = FactKind::kCancelRequested;
  fact.time = At(seconds);
  fact.note = std::move(outcome);
  return fact;
}

Fact Acknowledged(std::int64_t seconds) {
  Fact fact;
  fact.id = "ack" + std::to_string(seconds);
  fact.kind = FactKind::kAcknowledged;
  fact.time = At(seconds);
  return fact;
}

FoldedAlert Fold(const std::vector<Fact>& facts, std::vector<std::uint32_t> later_steps = {}) {
  return FoldAlert({.accepted = true, .later_steps = std::move(later_steps)}, facts);
}

struct Row {
  const char* name;
  std::vector<Fact> facts;
  v1::AlertState state;
  std::string reason = {};
  std::optional<std::int64_t> ended = {};
};

class AlertStates : public testing::TestWithParam<Row> {};

// S3
TEST_P(AlertStates, FollowFromItsFacts) {
  const FoldedAlert alert = Fold(GetParam().facts);
  EXPECT_EQ(v1::AlertState_Name(alert.state), v1::AlertState_Name(GetParam().state));
  EXPECT_EQ(alert.reason, GetParam().reason);
  EXPECT_EQ(alert.ended, GetParam().ended ? std::optional(At(*GetParam().ended)) : std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(
    Folding, AlertStates,
    testing::Values(
        Row{"NothingHappened", {}, v1::ALERT_STATE_PENDING},
        Row{"BeingSent", {Told(v1::TRY_STATUS_SENDING, 1)}, v1::ALERT_STATE_SENDING},
        Row{"TwilioHasIt",
            {Told(v1::TRY_STATUS_SENDING, 1), Told(v1::TRY_STATUS_SENT, 2)},
            v1::ALERT_STATE_SENT},
        Row{"DeliveredOutranksALaterFailure",
            {Told(v1::TRY_STATUS_DELIVERED, 3), Told(v1::TRY_STATUS_UNDELIVERED, 4, "X")},
            v1::ALERT_STATE_DELIVERED,
            "",
            3},
        Row{"InDoubtToTheEnd",
            {Told(v1::TRY_STATUS_SENDING, 1), Told(v1::TRY_STATUS_IN_DOUBT, 2),
             Told(v1::TRY_STATUS_FAILED, 3, "IN_DOUBT")},
            v1::ALERT_STATE_FAILED,
            "IN_DOUBT",
            3},
        Row{"LateProofThatTwilioHasIt",
            {Told(v1::TRY_STATUS_FAILED, 3, "IN_DOUBT"), Told(v1::TRY_STATUS_SENT, 4)},
            v1::ALERT_STATE_SENT},
        Row{"LateProofOfDelivery",
            {Told(v1::TRY_STATUS_FAILED, 3, "IN_DOUBT"), Told(v1::TRY_STATUS_DELIVERED, 4)},
            v1::ALERT_STATE_DELIVERED,
            "",
            4},
        Row{"AVerdictBelowAProof",
            {Told(v1::TRY_STATUS_EXPIRED, 5, "EXPIRED"), Told(v1::TRY_STATUS_SENT, 4)},
            v1::ALERT_STATE_SENT},
        Row{"ABeginningThatCameToNothing",
            {Told(v1::TRY_STATUS_SENDING, 1), Told(v1::TRY_STATUS_EXPIRED, 5, "EXPIRED")},
            v1::ALERT_STATE_EXPIRED,
            "EXPIRED",
            5},
        Row{"AReceiptAfterTheWaitForOne",
            {Told(v1::TRY_STATUS_SENT_UNCONFIRMED, 9), Told(v1::TRY_STATUS_UNDELIVERED, 10, "X")},
            v1::ALERT_STATE_FAILED,
            "X",
            10},
        Row{"NoReceipt",
            {Told(v1::TRY_STATUS_SENT, 1), Told(v1::TRY_STATUS_SENT_UNCONFIRMED, 9)},
            v1::ALERT_STATE_SENT_UNCONFIRMED,
            "",
            9},
        Row{"AFollowUpWaits",
            {Followed(Told(v1::TRY_STATUS_FAILED, 2, "X"), 2)},
            v1::ALERT_STATE_SENDING},
        Row{"TheFollowUpWasDelivered",
            {Followed(Told(v1::TRY_STATUS_FAILED, 2, "X"), 2),
             OfTry(2, Told(v1::TRY_STATUS_DELIVERED, 7))},
            v1::ALERT_STATE_DELIVERED,
            "",
            7},
        Row{"TheFollowUpExpired",
            {Followed(Told(v1::TRY_STATUS_FAILED, 2, "X"), 2),
             OfTry(2, Told(v1::TRY_STATUS_EXPIRED, 7, "EXPIRED"))},
            v1::ALERT_STATE_EXPIRED,
            "EXPIRED",
            7},
        Row{"OptedOut",
            {Told(v1::TRY_STATUS_SENDING, 1), Told(v1::TRY_STATUS_SUPPRESSED, 2, "OPTED_OUT")},
            v1::ALERT_STATE_SUPPRESSED,
            "OPTED_OUT",
            2},
        Row{"CancelledBeforeItBegan",
            {Cancelled(2, "CANCELLED")},
            v1::ALERT_STATE_CANCELLED,
            "CANCELLED",
            2},
        Row{"CancelledTooLate",
            {Told(v1::TRY_STATUS_SENT, 1), Cancelled(2, "TOO_LATE")},
            v1::ALERT_STATE_SENT},
        Row{"CancelledWhileARetryWaited",
            {Followed(Told(v1::TRY_STATUS_FAILED, 2, "X"), 2), Cancelled(3, "TOO_LATE")},
            v1::ALERT_STATE_CANCELLED,
            "CANCELLED",
            3},
        Row{"Acknowledged",
            {Told(v1::TRY_STATUS_SENT, 1), Acknowledged(8), Acknowledged(6)},
            v1::ALERT_STATE_ACKNOWLEDGED,
            "",
            6}),
    [](const testing::TestParamInfo<Row>& row) { return std::string(row.param.name); });

TEST(Folding, LeavesAnAlertOpenUntilItsPlanIsThrough) {
  const std::vector<Fact> delivered{Told(v1::TRY_STATUS_DELIVERED, 3)};
  EXPECT_EQ(Fold(delivered, {1}).state, v1::ALERT_STATE_DELIVERED);
  EXPECT_EQ(Fold(delivered, {2}).state, v1::ALERT_STATE_SENDING);  // until acknowledged
  EXPECT_EQ(Fold({Told(v1::TRY_STATUS_FAILED, 3, "X")}, {1}).state, v1::ALERT_STATE_SENDING);
}

TEST(Folding, DoesNotEndAnAlertByFailureBeforeItsAcceptanceIsKnown) {
  const std::vector<Fact> facts{Told(v1::TRY_STATUS_FAILED, 3, "X")};
  EXPECT_EQ(FoldAlert({}, facts).state, v1::ALERT_STATE_SENDING);
}

TEST(Folding, EndsACompletedCallAsWhoTookIt) {  // V5
  const auto outcome = [](const std::vector<Fact>& facts) {
    const FoldedAlert alert = Fold(facts);
    EXPECT_EQ(alert.state, v1::ALERT_STATE_DELIVERED);
    EXPECT_TRUE(alert.tries[0].Settled());
    return alert.tries[0].status();
  };
  const Fact over = Told(v1::TRY_STATUS_DELIVERED, 9);
  EXPECT_EQ(outcome({over}), v1::TRY_STATUS_DELIVERED);
  EXPECT_EQ(outcome({over, Told(v1::TRY_STATUS_ANSWERED_MACHINE, 4)}),
            v1::TRY_STATUS_ANSWERED_MACHINE);
  EXPECT_EQ(outcome({Told(v1::TRY_STATUS_DELIVERED, 9, "ANSWERED_MACHINE")}),
            v1::TRY_STATUS_ANSWERED_MACHINE);
  // A machine presses no key: whatever detection said, a person was there.
  EXPECT_EQ(outcome({Told(v1::TRY_STATUS_ANSWERED_HUMAN, 5),
                     Told(v1::TRY_STATUS_DELIVERED, 9, "ANSWERED_MACHINE")}),
            v1::TRY_STATUS_ANSWERED_HUMAN);
}

TEST(Folding, LeavesACallOpenWhileSomebodyIsOnTheLine) {  // V2
  EXPECT_EQ(Fold({Told(v1::TRY_STATUS_ANSWERED_HUMAN, 5)}).state, v1::ALERT_STATE_SENT);
}

TEST(Folding, LeavesAnAlertOpenThatMetAMachineWhenAnotherCallFollows) {  // V3
  EXPECT_EQ(Fold({Followed(Told(v1::TRY_STATUS_DELIVERED, 9, "ANSWERED_MACHINE"), 2)}).state,
            v1::ALERT_STATE_SENDING);
}

TEST(Folding, LeavesACallThatReachedNobodyOpenUntilItsWorkerDecided) {  // V3
  Fact busy = Told(v1::TRY_STATUS_BUSY, 3);
  busy.kind = FactKind::kCallback;
  busy.provider_sid = "CA1";
  EXPECT_EQ(Fold({busy}).state, v1::ALERT_STATE_SENDING);
  EXPECT_EQ(Fold({busy, Cancelled(4, "TOO_LATE")}).state, v1::ALERT_STATE_CANCELLED);
  const Fact again = Followed(Told(v1::TRY_STATUS_BUSY, 3), 2);
  EXPECT_EQ(Fold({busy, again}).state, v1::ALERT_STATE_SENDING);
  EXPECT_EQ(Fold({busy, again, OfTry(2, Told(v1::TRY_STATUS_DELIVERED, 9))}).state,
            v1::ALERT_STATE_DELIVERED);
  Fact last = Told(v1::TRY_STATUS_BUSY, 3, "RETRIES_EXHAUSTED");
  last.last = true;
  EXPECT_EQ(Fold({busy, last}).state, v1::ALERT_STATE_FAILED);
  EXPECT_EQ(Fold({busy, last}).reason, "RETRIES_EXHAUSTED");
}

TEST(Folding, KeepsBothADeliveryAndAFailure) {
  const FoldedAlert alert =
      Fold({Told(v1::TRY_STATUS_UNDELIVERED, 3, "X"), Told(v1::TRY_STATUS_DELIVERED, 4)});
  ASSERT_EQ(alert.tries.size(), 1U);
  EXPECT_TRUE(alert.tries[0].Saw(v1::TRY_STATUS_UNDELIVERED));
  EXPECT_TRUE(alert.tries[0].Saw(v1::TRY_STATUS_DELIVERED));
}

struct Word {
  v1::WebhookKind kind;
  const char* word;
  const char* answered_by;
  v1::TryStatus status;  // unspecified: tells nothing
};

class TwilioWords : public testing::TestWithParam<Word> {};

TEST_P(TwilioWords, TellAStatus) {
  v1::WebhookRecord webhook;
  webhook.set_kind(GetParam().kind);
  webhook.set_provider_status(GetParam().word);
  webhook.set_answered_by(GetParam().answered_by);
  webhook.mutable_try_()->set_alert_id("a");
  const auto fact = FactOf(webhook);
  EXPECT_EQ(fact.has_value(), GetParam().status != v1::TRY_STATUS_UNSPECIFIED);
  EXPECT_EQ(fact ? fact->status : v1::TRY_STATUS_UNSPECIFIED, GetParam().status);
  webhook.clear_try_();
  EXPECT_FALSE(FactOf(webhook));
}

constexpr auto kSms = v1::WEBHOOK_KIND_SMS_STATUS;
constexpr auto kCall = v1::WEBHOOK_KIND_VOICE_STATUS;
INSTANTIATE_TEST_SUITE_P(
    Folding, TwilioWords,
    testing::Values(Word{kSms, "queued", "", v1::TRY_STATUS_SENT},
                    Word{kSms, "accepted", "", v1::TRY_STATUS_SENT},
                    Word{kSms, "sending", "", v1::TRY_STATUS_SENT},
                    Word{kSms, "sent", "", v1::TRY_STATUS_SENT},
                    Word{kSms, "delivered", "", v1::TRY_STATUS_DELIVERED},
                    Word{kSms, "read", "", v1::TRY_STATUS_DELIVERED},
                    Word{kSms, "undelivered", "", v1::TRY_STATUS_UNDELIVERED},
                    Word{kSms, "failed", "", v1::TRY_STATUS_FAILED},
                    Word{kSms, "canceled", "", v1::TRY_STATUS_FAILED},
                    Word{kSms, "received", "", v1::TRY_STATUS_UNSPECIFIED},
                    Word{kSms, "completed", "", v1::TRY_STATUS_UNSPECIFIED},
                    Word{kCall, "initiated", "", v1::TRY_STATUS_SENT},
                    Word{kCall, "ringing", "", v1::TRY_STATUS_RINGING},
                    Word{kCall, "in-progress", "", v1::TRY_STATUS_RINGING},
                    Word{kCall, "in-progress", "unknown", v1::TRY_STATUS_RINGING},
                    Word{v1::WEBHOOK_KIND_VOICE_GATHER, "1", "", v1::TRY_STATUS_ANSWERED_HUMAN},
                    Word{v1::WEBHOOK_KIND_VOICE_GATHER, "", "", v1::TRY_STATUS_UNSPECIFIED},
                    Word{kCall, "in-progress", "human", v1::TRY_STATUS_ANSWERED_HUMAN},
                    Word{kCall, "in-progress", "machine_start", v1::TRY_STATUS_ANSWERED_MACHINE},
                    Word{kCall, "completed", "", v1::TRY_STATUS_DELIVERED},
                    Word{kCall, "busy", "", v1::TRY_STATUS_BUSY},
                    Word{kCall, "no-answer", "", v1::TRY_STATUS_NO_ANSWER},
                    Word{kCall, "failed", "", v1::TRY_STATUS_FAILED},
                    Word{kCall, "canceled", "", v1::TRY_STATUS_FAILED},
                    Word{v1::WEBHOOK_KIND_SMS_INBOUND, "delivered", "",
                         v1::TRY_STATUS_UNSPECIFIED}));

Fact AnyFact(int id) {
  using rc::gen::element;
  using rc::gen::inRange;
  Fact fact;
  fact.id = std::to_string(id);
  fact.kind = *element(FactKind::kTryChanged, FactKind::kTryChanged, FactKind::kCallback,
                       FactKind::kPriced, FactKind::kCancelRequested, FactKind::kAcknowledged);
  fact.step = *inRange(1U, 3U);
  fact.attempt = *inRange(1U, 4U);
  fact.time = At(*inRange(0, 6));  // few instants: ties are the hard part
  fact.status = static_cast<v1::TryStatus>(*inRange(1, 18));
  fact.reason = *element<std::string>("", "IN_DOUBT", "TWILIO_API_ERROR");
  fact.provider_code = *element(0, 30003, 21610);
  fact.provider_sid = *element<std::string>("", "SM1");
  fact.next_try = *element(0U, 0U, fact.attempt + 1);
  fact.last = *rc::gen::arbitrary<bool>();
  fact.note = *element<std::string>("", "CANCELLED", "TOO_LATE");
  if (fact.kind == FactKind::kPriced) fact.price_micros = *inRange(0, 100);
  return fact;
}

std::string Describe(const FoldedAlert& alert) {
  std::string text = v1::AlertState_Name(alert.state) + " " + alert.reason + " " +
                     std::to_string(alert.ended ? ToUnixMicros(*alert.ended) : -1) + " " +
                     std::to_string(alert.updated ? ToUnixMicros(*alert.updated) : -1);
  for (const TryFold& fold : alert.tries) {
    text += "\n" + std::to_string(fold.step()) + "." + std::to_string(fold.attempt()) + " " +
            v1::TryStatus_Name(fold.status()) + " " + fold.reason() + " " +
            std::to_string(fold.provider_code()) + " " + fold.provider_sid() + " " +
            std::to_string(ToUnixMicros(fold.status_since())) + " " +
            std::to_string(fold.price_micros().value_or(-1)) + " " +
            std::to_string(fold.next_try()) + (fold.last() ? " last" : "") +
            (fold.doubted() ? " doubted" : "");
  }
  return text;
}

// W5
TEST(Folding, EndsTheSameForEveryOrderAndAnyRepetition) {
  EXPECT_TRUE(rc::check([] {
    std::vector<Fact> facts;
    const int count = *rc::gen::inRange(0, 12);
    for (int i = 0; i < count; ++i) facts.push_back(AnyFact(i));
    const std::vector<std::uint32_t> steps(*rc::gen::inRange<size_t>(0, 3), 1);
    std::vector<Fact> again = facts;
    const int repeats = count == 0 ? 0 : *rc::gen::inRange(0, 12);
    for (int i = 0; i < repeats; ++i)
      again.push_back(facts[*rc::gen::inRange<size_t>(0, facts.size())]);
    std::shuffle(again.begin(), again.end(), std::mt19937(*rc::gen::arbitrary<unsigned>()));
    const AlertTerms terms{*rc::gen::arbitrary<bool>(), steps};
    RC_ASSERT(Describe(FoldAlert(terms, again)) == Describe(FoldAlert(terms, facts)));
  }));
}

// Who took a completed call is told in place of the fact that it was completed, which is an end.
int RankShown(const TryFold& fold) {
  const bool completed = fold.Settled() && !IsEnd(fold.status());
  return completed ? RankOf(v1::TRY_STATUS_DELIVERED, "") : RankOf(fold.status(), fold.reason());
}

TEST(Folding, NeverTakesATryBack) {
  EXPECT_TRUE(rc::check([] {
    TryFold fold(1, 1);
    int rank = 0;
    for (int i = 0; i < 12; ++i) {
      fold.Apply(AnyFact(i));
      const int now = RankShown(fold);
      RC_ASSERT(now >= rank);
      rank = now;
    }
  }));
}

}  // namespace
}  // namespace tocsin
