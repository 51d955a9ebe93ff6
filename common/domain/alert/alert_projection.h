// Derives the state of an alert from its events. Pure: no clock, no I/O. Projecting is commutative
// and idempotent: the result is the same for any order of the events and any number of repetitions.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "common/base/time.h"
#include "tocsin/records/v1/records.pb.h"
#include "tocsin/v1/types.pb.h"

namespace tocsin {

// Stored in PostgreSQL: numbers are never reused.
enum class AlertEventKind : std::int16_t {
  kAttemptChanged = 1,   // a worker changed the status of an attempt
  kCallback = 2,         // Twilio reported a status
  kAcknowledged = 3,     // the alert was acknowledged
  kCancelRequested = 4,  // the client cancelled the alert
  kPriced = 5,           // price or segments of an attempt became known
  kGoalMissed = 6,       // the goal of the plan was not reached by its deadline
  kDeclined = 7,         // a person declined
  kPlanExhausted = 8,    // no step of the plan is left
};

// One event of an alert, free of PII. Of events with equal ids the first one is stored: a callback
// that Twilio repeats has a later time.
struct AlertEvent {
  std::string id;  // UUID: event_id, or webhook_id
  AlertEventKind kind = AlertEventKind::kAttemptChanged;
  std::int32_t step = 0;     // 0: the alert as a whole
  std::int32_t attempt = 0;  // 0: the alert as a whole
  WallTime time;             // when it happened; for a callback: when it was received
  v1::AttemptStatus status = v1::ATTEMPT_STATUS_UNSPECIFIED;
  std::string reason;  // from the closed list; empty for none
  std::int32_t provider_code = 0;
  records::v1::ProviderErrorClass error_class = records::v1::PROVIDER_ERROR_CLASS_UNSPECIFIED;
  std::string provider_sid;
  std::string sender_id;
  std::int32_t segment_count = 0;
  std::int32_t next_attempt = 0;  // number of the next attempt; 0 for none
  bool last = false;              // no attempt of this step follows
  std::string note;               // kAttemptChanged: AttemptChanged.note
  // kAcknowledged.
  v1::AcknowledgementMethod acknowledgement_method = v1::ACKNOWLEDGEMENT_METHOD_UNSPECIFIED;
  std::string actor_id;
  std::string evidence;                                               // as in Acknowledged
  std::string person;                                                 // as in Acknowledged
  v1::CancelOutcome cancel_outcome = v1::CANCEL_OUTCOME_UNSPECIFIED;  // kCancelRequested
  // kCallback, as in WebhookRecord.
  records::v1::WebhookKind webhook_kind = records::v1::WEBHOOK_KIND_UNSPECIFIED;
  std::string provider_status;
  v1::AnsweredBy answered_by = v1::ANSWERED_BY_UNSPECIFIED;
  std::int32_t duration_seconds = 0;  // 0 if absent
  std::optional<std::int64_t> price_micros;
  std::string currency;
};

// nullopt for events that do not concern the state of an alert, such as AdminActionRecorded.
std::optional<AlertEvent> AlertEventOf(const records::v1::Event& event);

// The event that a callback reports for the attempt it names. nullopt if the request has no status
// or names no attempt.
std::optional<AlertEvent> AlertEventOf(const records::v1::WebhookRecord& webhook);

// The same for a callback whose attempt became known later, by its SID.
std::optional<AlertEvent> AlertEventOf(const records::v1::WebhookRecord& webhook,
                                       const v1::AttemptRef& name);

// The status with the higher rank wins: final before sending < SENT < other reports of the provider
// < DELIVERED. FAILED(IN_DOUBT) ranks below SENT because late proof corrects it.
int RankOf(v1::AttemptStatus status, std::string_view reason);

bool IsEnd(v1::AttemptStatus status);

// The projection of one attempt: the least upper bound of its events.
class AttemptProjection {
 public:
  AttemptProjection(std::int32_t step, std::int32_t attempt) : step_(step), attempt_(attempt) {}

  // Commutative and idempotent. The event must belong to this attempt.
  void Apply(const AlertEvent& alert_event);

  std::int32_t step() const { return step_; }
  std::int32_t attempt() const { return attempt_; }
  // For a completed call: who answered it, if known (V5). A pressed key proves a person.
  v1::AttemptStatus status() const;
  const std::string& reason() const { return deciding_.reason; }
  std::int32_t provider_code() const { return deciding_.provider_code; }
  WallTime status_since() const {
    return status_since_;
  }  // time of the first event with this status
  const std::string& provider_sid() const { return provider_sid_; }
  const std::string& sender_id() const { return sender_id_; }
  std::int32_t segment_count() const { return segment_count_; }
  std::optional<WallTime> started() const { return started_; }  // when the POST started
  WallTime updated() const { return updated_; }
  std::optional<std::int64_t> price_micros() const;
  std::string currency() const;
  std::int32_t duration_seconds() const { return duration_seconds_; }  // of a call; 0: not known
  // Who answered a call, by the strongest proof: a pressed key proves a person.
  v1::AnsweredBy answered_by() const;
  std::vector<std::string> pressed_keys() const;  // during a call, in order of time
  v1::Reach reach() const;                        // never REACH_ACKNOWLEDGED

  bool Saw(v1::AttemptStatus status) const { return (seen_ >> status & 1U) != 0; }
  bool was_in_doubt() const { return Saw(v1::ATTEMPT_STATUS_IN_DOUBT); }
  std::int32_t next_attempt() const { return next_attempt_; }
  bool last() const { return last_; }

  // A final status reported by a callback may still be followed by another attempt: the event that
  // announces it reopens the alert.
  bool IsFinal() const { return IsEnd(deciding_.status); }
  // A call reached nobody, and the worker has not decided yet whether another one follows.
  bool Undecided() const;
  bool Started() const;  // the POST may have been made

 private:
  void Decide(const AlertEvent& alert_event);

  std::int32_t step_;
  std::int32_t attempt_;
  AlertEvent deciding_;  // the event with the highest rank; ties are broken by content
  WallTime status_since_ = WallTime::max();
  std::string provider_sid_;
  std::string sender_id_;
  std::int32_t segment_count_ = 0;
  std::optional<WallTime> started_;
  WallTime updated_ = WallTime::min();
  std::optional<AlertEvent> price_;
  std::uint32_t seen_ = 0;      // bit n: status n was reported
  std::uint32_t answered_ = 0;  // bit n: v1::AnsweredBy n was reported
  std::int32_t duration_seconds_ = 0;
  std::set<std::tuple<WallTime, std::string, std::string>> presses_;  // time, id, key
  std::int32_t next_attempt_ = 0;
  bool last_ = false;
};

struct ProjectedAlert {
  v1::AlertState state = v1::ALERT_STATE_PENDING;
  std::string reason;                       // empty while in progress, delivered or acknowledged
  std::optional<WallTime> ended;            // set if the state is final
  std::optional<WallTime> updated;          // time of the last event
  std::vector<AttemptProjection> attempts;  // by step and number
  v1::Reach reach = v1::REACH_UNSPECIFIED;  // the strongest proof of an attempt or acknowledgement
};

// What a plan means for the state of its alert. The defaults are those of an alert without a plan.
struct PlanTerms {
  v1::Reach goal = v1::REACH_DELIVERED;
  std::int32_t person_count = 0;  // persons who must acknowledge; 0: one
  std::int32_t target_count = 1;
  std::vector<std::string> persons = {};  // of target 1, 2, ...
};

// The defaults if it has no targets.
PlanTerms TermsOf(const records::v1::Plan& plan);

// `accepted`: the acceptance of the alert is known. Without it only success is final.
ProjectedAlert ProjectAlert(bool accepted, std::span<const AlertEvent> alert_events,
                            const PlanTerms& plan = {});

// The person who acknowledged: as stated, or who called the API, or the one of the plan who was
// reached by the message or call. `plan` and the event must outlive the result.
const std::string& PersonOf(const AlertEvent& acknowledgement, const PlanTerms& plan);

bool IsEnd(v1::AlertState state);

}  // namespace tocsin
