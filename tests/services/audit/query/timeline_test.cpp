#include "services/audit/query/timeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace tocsin::audit {
namespace {

using testing::ElementsAre;

constexpr std::int64_t kSecond = 1'000'000;

WallTime At(double seconds) { return FromUnixMicros(static_cast<std::int64_t>(seconds * kSecond)); }

AlertEvent Changed(v1::AttemptStatus status, double seconds, std::int32_t attempt = 1) {
  AlertEvent event;
  event.id = "event-" + std::to_string(seconds) + v1::AttemptStatus_Name(status);
  event.kind = AlertEventKind::kAttemptChanged;
  event.step = 1;
  event.attempt = attempt;
  event.time = At(seconds);
  event.status = status;
  return event;
}

AlertEvent Callback(v1::AttemptStatus status, const std::string& provider_status, double seconds,
                    std::int32_t attempt = 1) {
  AlertEvent event = Changed(status, seconds, attempt);
  event.id = "callback-" + std::to_string(seconds) + provider_status;
  event.kind = AlertEventKind::kCallback;
  event.webhook_kind = records::v1::WEBHOOK_KIND_SMS_STATUS;
  event.provider_status = provider_status;
  return event;
}

AlertEvent CallCallback(v1::AttemptStatus status, const std::string& provider_status,
                        double seconds) {
  AlertEvent event = Callback(status, provider_status, seconds);
  event.webhook_kind = records::v1::WEBHOOK_KIND_VOICE_STATUS;
  return event;
}

AlertEvent KeyPress(const std::string& key, double seconds) {
  AlertEvent event = Callback(v1::ATTEMPT_STATUS_ANSWERED_HUMAN, key, seconds);
  event.webhook_kind = records::v1::WEBHOOK_KIND_VOICE_GATHER;
  return event;
}

AlertEvent OfAlert(AlertEventKind kind, const std::string& id, double seconds) {
  AlertEvent event;
  event.id = id;
  event.kind = kind;
  event.time = At(seconds);
  return event;
}

AlertEvent Acknowledged(v1::AcknowledgementMethod method, const std::string& actor_id,
                        double seconds) {
  AlertEvent event = OfAlert(AlertEventKind::kAcknowledged, "acknowledged", seconds);
  event.acknowledgement_method = method;
  event.actor_id = actor_id;
  return event;
}

AlertEvent Cancelled(v1::CancelOutcome outcome, double seconds) {
  AlertEvent event = OfAlert(AlertEventKind::kCancelRequested, "cancelled", seconds);
  event.cancel_outcome = outcome;
  return event;
}

AlertEvent With(AlertEvent event, const std::function<void(AlertEvent&)>& change) {
  change(event);
  return event;
}

AlertEvent Because(AlertEvent event, const std::string& reason, std::int32_t code = 0) {
  event.reason = reason;
  event.provider_code = code;
  return event;
}

AlertEvent FollowedBy(AlertEvent event, std::int32_t next_attempt) {
  event.next_attempt = next_attempt;
  return event;
}

std::vector<std::string> Descriptions(const std::vector<AlertEvent>& events,
                                      v1::Channel channel = v1::CHANNEL_SMS) {
  std::vector<std::string> descriptions;
  for (const v1::TimelineEntry& entry : MakeTimeline(channel, std::nullopt, events))
    descriptions.push_back(entry.description());
  return descriptions;
}

std::vector<double> Seconds(const std::vector<AlertEvent>& events) {
  std::vector<double> seconds;
  for (const v1::TimelineEntry& entry : MakeTimeline(v1::CHANNEL_SMS, At(0), events))
    seconds.push_back(static_cast<double>(entry.event_time().seconds()) +
                      entry.event_time().nanos() / 1e9);
  return seconds;
}

struct Row {
  const char* name;
  AlertEvent event;
  const char* description;
  v1::Channel channel = v1::CHANNEL_SMS;
};

class EventDescriptionTest : public testing::TestWithParam<Row> {};

TEST_P(EventDescriptionTest, DescribesTheEvent) {
  EXPECT_THAT(Descriptions({GetParam().event}, GetParam().channel),
              ElementsAre(GetParam().description));
}

INSTANTIATE_TEST_SUITE_P(
    Attempts, EventDescriptionTest,
    testing::Values(
        Row{"Queued", Changed(v1::ATTEMPT_STATUS_QUEUED, 1), "Queued"},
        Row{"Redriven",
            With(Changed(v1::ATTEMPT_STATUS_QUEUED, 1),
                 [](auto& event) { event.note = "redriven by ann"; }),
            "Queued; redriven by ann"},
        Row{"Submitting", Changed(v1::ATTEMPT_STATUS_SENDING, 1), "Submitting to Twilio"},
        Row{"InDoubt", Because(Changed(v1::ATTEMPT_STATUS_IN_DOUBT, 1), "IN_DOUBT"),
            "In doubt: Twilio may have accepted it"},
        Row{"Accepted", Changed(v1::ATTEMPT_STATUS_SENT, 1), "Accepted by Twilio"},
        Row{"AcceptedByCallback", Callback(v1::ATTEMPT_STATUS_SENT, "queued", 1),
            "Accepted by Twilio"},
        Row{"Sent", Callback(v1::ATTEMPT_STATUS_SENT, "sent", 1), "Sent by Twilio"},
        Row{"Delivered", Callback(v1::ATTEMPT_STATUS_DELIVERED, "delivered", 1), "Delivered"},
        Row{"Read", Callback(v1::ATTEMPT_STATUS_DELIVERED, "read", 1), "Read"},
        Row{"Undelivered",
            Because(Callback(v1::ATTEMPT_STATUS_UNDELIVERED, "undelivered", 1), "TWILIO_API_ERROR",
                    99999),
            "Undelivered: refused or not delivered by Twilio (Twilio 99999)"},
        Row{"FailedForGood", Because(Changed(v1::ATTEMPT_STATUS_FAILED, 1), "RETRIES_EXHAUSTED", 0),
            "Failed; retries exhausted"},
        Row{"NoTimeForARetry", Because(Changed(v1::ATTEMPT_STATUS_FAILED, 1), "EXPIRED"),
            "Failed; expires before another attempt"},
        Row{"Unresolved", Because(Changed(v1::ATTEMPT_STATUS_FAILED, 1), "IN_DOUBT"),
            "Failed: not resolved whether Twilio accepted it"},
        Row{"NeverReceived",
            With(Because(Changed(v1::ATTEMPT_STATUS_FAILED, 1), "NOT_RECEIVED"),
                 [](auto& event) {
                   event.note = "proven by Twilio's list; sending again";
                   event.next_attempt = 2;
                 }),
            "Twilio has no such message; it was not sent; proven by Twilio's list; sending again; "
            "attempt 2 follows"},
        Row{"Unconfirmed", Changed(v1::ATTEMPT_STATUS_SENT_UNCONFIRMED, 1),
            "Delivery not confirmed in time"},
        Row{"Expired", Because(Changed(v1::ATTEMPT_STATUS_EXPIRED, 1), "EXPIRED"),
            "Expired before sending"},
        Row{"Cancelled", Because(Changed(v1::ATTEMPT_STATUS_CANCELLED, 1), "CANCELLED"),
            "Cancelled before sending"},
        Row{"StoppedByAnAcknowledgement",
            Because(Changed(v1::ATTEMPT_STATUS_CANCELLED, 1), "ACKNOWLEDGED"),
            "Cancelled before sending: alert was acknowledged"},
        Row{"OptedOut", Because(Changed(v1::ATTEMPT_STATUS_SUPPRESSED, 1), "OPTED_OUT"),
            "Suppressed: recipient has opted out"},
        Row{"OptedOutAtTwilio",
            Because(Changed(v1::ATTEMPT_STATUS_SUPPRESSED, 1), "OPTED_OUT", 21610),
            "Suppressed: recipient has opted out (Twilio 21610)"},
        Row{"Rejected", Because(Changed(v1::ATTEMPT_STATUS_REJECTED, 1), "NO_ROUTE"),
            "Rejected: no sender for this number"},
        Row{"Priced",
            With(Changed(v1::ATTEMPT_STATUS_UNSPECIFIED, 1),
                 [](auto& event) { event.kind = AlertEventKind::kPriced; }),
            "Price received"}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Calls, EventDescriptionTest,
    testing::Values(
        Row{"Dialing", CallCallback(v1::ATTEMPT_STATUS_SENT, "initiated", 1), "Dialing",
            v1::CHANNEL_VOICE},
        Row{"Ringing", CallCallback(v1::ATTEMPT_STATUS_RINGING, "ringing", 1), "Ringing",
            v1::CHANNEL_VOICE},
        Row{"Answered", CallCallback(v1::ATTEMPT_STATUS_RINGING, "in-progress", 1), "Answered",
            v1::CHANNEL_VOICE},
        Row{"AnsweredByHuman", CallCallback(v1::ATTEMPT_STATUS_ANSWERED_HUMAN, "in-progress", 1),
            "Answered by human", v1::CHANNEL_VOICE},
        Row{"AnsweredByMachine",
            CallCallback(v1::ATTEMPT_STATUS_ANSWERED_MACHINE, "in-progress", 1),
            "Answered by machine", v1::CHANNEL_VOICE},
        Row{"PressedKey", KeyPress("1", 1), "Pressed key 1: acknowledge", v1::CHANNEL_VOICE},
        Row{"PressedUnknownKey", KeyPress("7", 1), "Pressed key 7", v1::CHANNEL_VOICE},
        Row{"Completed",
            With(CallCallback(v1::ATTEMPT_STATUS_DELIVERED, "completed", 1),
                 [](auto& event) { event.duration_seconds = 17; }),
            "Call completed after 17 s", v1::CHANNEL_VOICE},
        Row{"CompletedByLookup", Changed(v1::ATTEMPT_STATUS_DELIVERED, 1), "Call completed",
            v1::CHANNEL_VOICE},
        Row{"Cancelled",
            Because(CallCallback(v1::ATTEMPT_STATUS_FAILED, "canceled", 1), "CANCELLED"),
            "Call cancelled", v1::CHANNEL_VOICE},
        Row{"Busy", FollowedBy(Changed(v1::ATTEMPT_STATUS_BUSY, 1), 2), "Busy; attempt 2 follows",
            v1::CHANNEL_VOICE},
        Row{"NoAnswer", Because(Changed(v1::ATTEMPT_STATUS_NO_ANSWER, 1), "RETRIES_EXHAUSTED"),
            "No answer; retries exhausted", v1::CHANNEL_VOICE}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Alerts, EventDescriptionTest,
    testing::Values(
        Row{"AcknowledgedByApi", Acknowledged(v1::ACKNOWLEDGEMENT_METHOD_API, "ann", 1),
            "Acknowledged by ann"},
        Row{"AcknowledgedByKeyPress", Acknowledged(v1::ACKNOWLEDGEMENT_METHOD_KEYPRESS, "", 1),
            "Acknowledged by key press"},
        Row{"AcknowledgedByLink", Acknowledged(v1::ACKNOWLEDGEMENT_METHOD_LINK, "", 1),
            "Acknowledged by the link in the message"},
        Row{"Cancelled", Cancelled(v1::CANCEL_OUTCOME_CANCELLED, 1), "Cancelled by client"},
        Row{"CancelledTooLate", Cancelled(v1::CANCEL_OUTCOME_TOO_LATE, 1),
            "Cancel requested: attempt already in progress"},
        Row{"CancelledAfterTheEnd", Cancelled(v1::CANCEL_OUTCOME_ALREADY_ENDED, 1),
            "Cancel requested: already final"}),
    [](const auto& row) { return row.param.name; });

TEST(TimelineTest, BeginsWithTheAcceptance) {
  const auto entries = MakeTimeline(v1::CHANNEL_SMS, At(3), {});
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].description(), "Accepted");
  EXPECT_EQ(entries[0].event_time().seconds(), 3);
  EXPECT_EQ(entries[0].step(), 0);
}

TEST(TimelineTest, NoEventIsBeforeTheAcceptance) {
  EXPECT_THAT(Seconds({Changed(v1::ATTEMPT_STATUS_SENDING, -0.5)}), ElementsAre(0, 0));
}

// S3
TEST(TimelineTest, FollowsAnSmsToItsDelivery) {
  EXPECT_THAT(
      Descriptions({Changed(v1::ATTEMPT_STATUS_SENDING, 1), Changed(v1::ATTEMPT_STATUS_SENT, 2),
                    Callback(v1::ATTEMPT_STATUS_SENT, "sent", 3),
                    Callback(v1::ATTEMPT_STATUS_DELIVERED, "delivered", 4)}),
      ElementsAre("Submitting to Twilio", "Accepted by Twilio", "Sent by Twilio", "Delivered"));
}

// V2
TEST(TimelineTest, FollowsACallThatIsAcknowledged) {
  EXPECT_THAT(
      Descriptions({Changed(v1::ATTEMPT_STATUS_SENDING, 1), Changed(v1::ATTEMPT_STATUS_SENT, 2),
                    CallCallback(v1::ATTEMPT_STATUS_RINGING, "ringing", 3),
                    CallCallback(v1::ATTEMPT_STATUS_RINGING, "in-progress", 4), KeyPress("1", 5),
                    Acknowledged(v1::ACKNOWLEDGEMENT_METHOD_KEYPRESS, "", 5),
                    CallCallback(v1::ATTEMPT_STATUS_DELIVERED, "completed", 6)},
                   v1::CHANNEL_VOICE),
      ElementsAre("Submitting to Twilio", "Accepted by Twilio", "Ringing", "Answered",
                  "Pressed key 1: acknowledge", "Acknowledged by key press", "Call completed"));
}

TEST(TimelineTest, HasOneEntryForTheResponseAndTheCallbackThatReportTheAcceptance) {
  EXPECT_THAT(Descriptions({Changed(v1::ATTEMPT_STATUS_SENT, 2),
                            Callback(v1::ATTEMPT_STATUS_SENT, "queued", 1),
                            Callback(v1::ATTEMPT_STATUS_SENT, "sending", 1.5)}),
              ElementsAre("Accepted by Twilio"));
}

TEST(TimelineTest, HasOneEntryForACallbackAndTheDecisionThatFollowsIt) {
  const AlertEvent callback = Because(Callback(v1::ATTEMPT_STATUS_UNDELIVERED, "undelivered", 3),
                                      "TWILIO_API_ERROR", 99999);
  const AlertEvent decision =
      FollowedBy(Because(Changed(v1::ATTEMPT_STATUS_UNDELIVERED, 3), "TWILIO_API_ERROR", 99999), 2);
  const char* expected =
      "Undelivered: refused or not delivered by Twilio (Twilio 99999); attempt 2 follows";
  EXPECT_THAT(Descriptions({callback, decision}), ElementsAre(expected));
  EXPECT_THAT(Descriptions({decision, callback}), ElementsAre(expected));
}

TEST(TimelineTest, HasOneEntryForABusyCallAndTheNextAttempt) {
  EXPECT_THAT(Descriptions({CallCallback(v1::ATTEMPT_STATUS_BUSY, "busy", 3),
                            FollowedBy(Changed(v1::ATTEMPT_STATUS_BUSY, 3), 2)},
                           v1::CHANNEL_VOICE),
              ElementsAre("Busy; attempt 2 follows"));
}

TEST(TimelineTest, KeepsTheSameStatusOfDifferentAttemptsApart) {
  EXPECT_THAT(Descriptions({CallCallback(v1::ATTEMPT_STATUS_BUSY, "busy", 1),
                            Changed(v1::ATTEMPT_STATUS_BUSY, 2, 2)},
                           v1::CHANNEL_VOICE),
              ElementsAre("Busy", "Busy"));
}

TEST(TimelineTest, KeepsAnUnresolvedEndAndALaterFailureApart) {
  EXPECT_THAT(
      Descriptions({Because(Changed(v1::ATTEMPT_STATUS_FAILED, 1), "IN_DOUBT"),
                    Because(Callback(v1::ATTEMPT_STATUS_FAILED, "failed", 2), "TWILIO_API_ERROR")}),
      ElementsAre("Failed: not resolved whether Twilio accepted it",
                  "Failed: refused or not delivered by Twilio"));
}

TEST(TimelineTest, ShowsThatNoStepIsLeft) {
  EXPECT_THAT(Descriptions({OfAlert(AlertEventKind::kPlanExhausted, "exhausted", 5)}),
              ElementsAre("No step of the plan is left"));
}

TEST(TimelineTest, DoesNotShowTheDeadlineOfAnAlertThatWasCancelledBefore) {
  const AlertEvent missed = OfAlert(AlertEventKind::kGoalMissed, "missed", 5);
  EXPECT_THAT(Descriptions({missed}), ElementsAre("Goal not reached by the deadline"));
  EXPECT_THAT(Descriptions({Cancelled(v1::CANCEL_OUTCOME_CANCELLED, 2), missed}),
              ElementsAre("Cancelled by client"));
}

// A worker publishes a start before the POST and releases the attempt if it cannot make the POST.
TEST(TimelineTest, DoesNotShowASubmissionThatNeverHappened) {
  for (const auto status : {v1::ATTEMPT_STATUS_CANCELLED, v1::ATTEMPT_STATUS_EXPIRED,
                            v1::ATTEMPT_STATUS_REJECTED, v1::ATTEMPT_STATUS_SUPPRESSED}) {
    const auto descriptions =
        Descriptions({Changed(v1::ATTEMPT_STATUS_SENDING, 1), Changed(status, 2)});
    EXPECT_THAT(descriptions, testing::SizeIs(1)) << v1::AttemptStatus_Name(status);
    EXPECT_THAT(descriptions, testing::Not(testing::Contains("Submitting to Twilio")));
  }
}

TEST(TimelineTest, ShowsTheSubmissionThatTwilioRefusedForAnOptOut) {
  EXPECT_THAT(
      Descriptions({Changed(v1::ATTEMPT_STATUS_SENDING, 1),
                    Because(Changed(v1::ATTEMPT_STATUS_SUPPRESSED, 2), "OPTED_OUT", 21610)}),
      ElementsAre("Submitting to Twilio", "Suppressed: recipient has opted out (Twilio 21610)"));
}

TEST(TimelineTest, ShowsTheSubmissionOfAnEarlierAttemptOnly) {
  EXPECT_THAT(
      Descriptions({Changed(v1::ATTEMPT_STATUS_SENDING, 1),
                    FollowedBy(Changed(v1::ATTEMPT_STATUS_FAILED, 2), 2),
                    Changed(v1::ATTEMPT_STATUS_SENDING, 3, 2),
                    Because(Changed(v1::ATTEMPT_STATUS_CANCELLED, 4, 2), "CANCELLED")}),
      ElementsAre("Submitting to Twilio", "Failed; attempt 2 follows", "Cancelled before sending"));
}

TEST(TimelineTest, ShowsOneSubmissionForOnePost) {
  const std::vector<AlertEvent> events{Changed(v1::ATTEMPT_STATUS_SENDING, 1),
                                       Changed(v1::ATTEMPT_STATUS_SENDING, 30),
                                       Changed(v1::ATTEMPT_STATUS_SENT, 31)};
  EXPECT_THAT(Descriptions(events), ElementsAre("Submitting to Twilio", "Accepted by Twilio"));
  // The first start was released: the last one before the response belongs to the POST.
  EXPECT_THAT(Seconds(events), ElementsAre(0, 30, 31));
}

TEST(TimelineTest, AStartAfterTheResponseDoesNotMoveTheSubmission) {
  EXPECT_THAT(Seconds({Changed(v1::ATTEMPT_STATUS_SENDING, 1), Changed(v1::ATTEMPT_STATUS_SENT, 2),
                       Changed(v1::ATTEMPT_STATUS_SENDING, 3)}),
              ElementsAre(0, 1, 2));
}

// R4. The times in Twilio's lists are whole seconds of another clock.
TEST(TimelineTest, ADeliveryFoundInTwiliosListFollowsItsSubmission) {
  const std::vector<AlertEvent> events{Changed(v1::ATTEMPT_STATUS_SENDING, 5.7),
                                       Changed(v1::ATTEMPT_STATUS_SENT, 5),
                                       Changed(v1::ATTEMPT_STATUS_DELIVERED, 5)};
  EXPECT_THAT(Descriptions(events),
              ElementsAre("Submitting to Twilio", "Accepted by Twilio", "Delivered"));
  EXPECT_THAT(Seconds(events), ElementsAre(0, 5.7, 5.7, 5.7));
}

// R4
TEST(TimelineTest, AnAcceptanceFoundLaterFollowsTheInDoubtEntry) {
  const std::vector<AlertEvent> events{Changed(v1::ATTEMPT_STATUS_SENDING, 1.5),
                                       Changed(v1::ATTEMPT_STATUS_IN_DOUBT, 11),
                                       Changed(v1::ATTEMPT_STATUS_SENT, 2)};
  EXPECT_THAT(Descriptions(events),
              ElementsAre("Submitting to Twilio", "In doubt: Twilio may have accepted it",
                          "Accepted by Twilio"));
  EXPECT_THAT(Seconds(events), ElementsAre(0, 1.5, 11, 11));
}

// W5
TEST(TimelineTest, ADelayedResponseDoesNotDelayTheDelivery) {
  const std::vector<AlertEvent> events{Changed(v1::ATTEMPT_STATUS_SENDING, 1),
                                       Changed(v1::ATTEMPT_STATUS_SENT, 5),
                                       Callback(v1::ATTEMPT_STATUS_SENT, "sent", 4),
                                       Callback(v1::ATTEMPT_STATUS_DELIVERED, "delivered", 3)};
  EXPECT_THAT(Descriptions(events), ElementsAre("Submitting to Twilio", "Accepted by Twilio",
                                                "Sent by Twilio", "Delivered"));
  EXPECT_THAT(Seconds(events), ElementsAre(0, 1, 3, 3, 3));
}

TEST(TimelineTest, APriceDoesNotMoveTheEnd) {
  const AlertEvent price = With(Changed(v1::ATTEMPT_STATUS_UNSPECIFIED, 4),
                                [](auto& event) { event.kind = AlertEventKind::kPriced; });
  EXPECT_THAT(
      Descriptions({Changed(v1::ATTEMPT_STATUS_SENDING, 1), Changed(v1::ATTEMPT_STATUS_SENT, 2),
                    price, Changed(v1::ATTEMPT_STATUS_SENT_UNCONFIRMED, 9)}),
      ElementsAre("Submitting to Twilio", "Accepted by Twilio", "Price received",
                  "Delivery not confirmed in time"));
}

TEST(TimelineTest, HasTheStatusAndTheAttemptOfEachEntry) {
  const auto entries = MakeTimeline(v1::CHANNEL_SMS, At(0),
                                    std::vector{Changed(v1::ATTEMPT_STATUS_SENDING, 1, 2),
                                                Cancelled(v1::CANCEL_OUTCOME_TOO_LATE, 2)});
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[1].step(), 1);
  EXPECT_EQ(entries[1].attempt(), 2);
  EXPECT_EQ(entries[1].status(), v1::ATTEMPT_STATUS_SENDING);
  EXPECT_EQ(entries[2].step(), 0);
  EXPECT_EQ(entries[2].status(), v1::ATTEMPT_STATUS_UNSPECIFIED);
}

}  // namespace
}  // namespace tocsin::audit
