// The ground truth of a run and the invariants checked against it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/domain/alert/alert_projection.h"
#include "common/ports/topics.h"
#include "tests/model/broker.h"
#include "tests/model/plan_checker.h"
#include "tests/model/timeline.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin::model {

// The times of an alert, as the client requested them.
struct Terms {
  bool emergency = false;
  WallTime send_time;
  WallTime expire_time;
};

struct Counts {
  std::uint64_t alerts = 0, posts = 0, accepted = 0, in_doubt = 0, kills = 0, freezes = 0,
                not_received = 0, repeated_calls = 0, acknowledged = 0, steps = 0;
  PlanCounts plans;
  Counts& operator+=(const Counts& other);
};

class Checker {
 public:
  Checker(Timeline& timeline, const Topics& topics)
      : plans(timeline, [this](const std::string& what) { Violate(what); }),
        timeline_(timeline),
        topics_(topics) {}

  void Enqueued(const records::v1::WorkRecord& work);  // the record that accepts the alert
  void Appended(const IncomingRecord& record);

  // Reports of the claim store: an attempt was granted; a result was saved and `stored` is the
  // stored one; an alert was marked, so that no further attempt starts, or a person of its plan.
  void Granted(const v1::AttemptRef& ref);
  void Saved(const v1::AttemptRef& ref, const records::v1::AttemptResult& given,
             const std::optional<records::v1::AttemptResult>& stored);
  void Marked(const std::string& alert_id, const KnownMark& mark);

  // Reports of the client: what it requested, and what the ingress confirmed. `person`: of a plan.
  // `stored`: the response reported the alert as marked.
  void CancelRequested(const std::string& alert_id);
  void Cancelled(const std::string& alert_id, v1::CancelOutcome outcome);
  void AcknowledgementRequested(const std::string& alert_id, const std::string& person);
  void Acknowledged(const std::string& alert_id, const std::string& person, bool stored);

  // Reports of the provider: a POST started or was accepted; it requested a pause (Retry-After); a
  // callback of a message was delivered (nothing: it was lost).
  void PostStarted(const v1::AttemptRef& ref, v1::Channel channel);
  void Accepted(const v1::AttemptRef& ref, v1::Channel channel);
  void PauseRequested(const v1::AttemptRef& ref, WallTime until) { Of(ref).pause_until = until; }
  void CalledBack(const v1::AttemptRef& ref, std::optional<v1::AttemptStatus> status);

  // Reports of a call: a key was pressed; the ingress responded to it; the call ended, as its last
  // callback reports (`for_good`: with a code that rules out another call); that callback was
  // delivered.
  void KeyPressed(const v1::AttemptRef& ref, const std::string& key);
  void KeyConfirmed(const v1::AttemptRef& ref, const std::string& key);
  void CallEnded(const v1::AttemptRef& ref, v1::AttemptStatus status, bool for_good);
  void CallReported(const v1::AttemptRef& ref, bool delivered);

  // Reports of a consumer: a record was finished, an offset was committed.
  void Finished(const Subscription& subscription, std::int64_t offset) {
    finished_.insert({subscription.number, offset});
  }
  void Committed(const Subscription& subscription, std::int64_t from, std::int64_t to);

  // Checks the final state, after the last event of the run.
  void CheckFinalState(const std::deque<Subscription>& subscriptions, Dice& dice);

  void Violate(const std::string& what);
  bool Violated() const { return !violations_.empty(); }
  const std::vector<std::string>& Violations() const { return violations_; }
  Counts counts;
  PlanChecker plans;

  // With the bug of this name: a later callback deletes the acknowledgement from what audit stored.
  bool completed_overrides_acknowledgement = false;

 private:
  // A call at the provider.
  struct CallTruth {
    std::optional<v1::AttemptStatus> end;  // once it has ended
    WallTime end_time{};
    bool for_good = false;
    bool reported = false;       // its last callback was delivered
    bool key_pressed = false;    // any key
    bool key_confirmed = false;  // any key
    bool person_saved = false;   // the store knows that a person answered
    // Whether it did when the end of the call was saved, once or several times.
    bool person_known_at_end = false;
    bool person_unknown_at_end = false;
  };
  struct AttemptTruth {
    v1::AttemptRef ref;
    bool started = false;       // its SENDING event is in the log
    bool was_in_doubt = false;  // its IN_DOUBT event is in the log
    bool not_received = false;  // its NOT_RECEIVED event is in the log
    bool known = false;         // an event or callback proves that it was accepted
    bool given_up = false;      // its FAILED event is the last
    bool unpersisted = false;   // the store did not save its FAILED result
    bool stopped = false;       // an event in the log ends it by a mark of the alert
    bool dead = false;          // its dead letter is in the log
    bool certain = false;       // a certain result was saved
    bool undelivered = false;   // a callback reported it, or that a call reached nobody
    std::optional<WallTime> undelivered_time;  // by which it was decided what follows its failure
    WallTime pause_until = WallTime::min();    // Retry-After
    unsigned posts = 0;
    unsigned accepted = 0;
    std::optional<CallTruth> call;  // of an accepted call
  };
  struct AlertTruth {
    Terms terms;
    std::map<std::string, AlertEvent> alert_events;  // by id
    bool delivered = false;                          // a callback reported it
    bool silent = false;                             // no callback reported a final status
    bool acknowledgement_requested = false;
    bool acknowledged = false;  // confirmed
    unsigned cancel_requests = 0;
    bool cancelled = false;               // confirmed: nothing was sent
    std::optional<WallTime> cancel_time;  // of the first such confirmation
    bool ended_at_cancel = false;         // a cancellation was refused because the alert had ended
  };

  AttemptTruth& Of(const v1::AttemptRef& ref);
  void ReadEvent(const IncomingRecord& record);
  void CheckUndelivered(const records::v1::Event& event);
  void ReadWebhook(const IncomingRecord& record);
  void CheckRepetition(const v1::AttemptRef& ref);
  bool TargetWasInDoubt(const v1::AttemptRef& ref) const;
  void CheckAttempt(const AttemptTruth& attempt);
  void CheckCall(const AttemptTruth& attempt, const AttemptProjection& projection);
  void CheckOutcome(const std::string& alert_id, const AlertTruth& alert,
                    const ProjectedAlert& projected);
  bool LostItsSid(const std::string& alert_id, const ProjectedAlert& projected);
  void CheckAlert(const std::string& alert_id, AlertTruth& alert, Dice& dice);
  void CompareProjections(const std::string& alert_id, const ProjectedAlert& projected,
                          std::vector<AlertEvent> alert_events, Dice& dice);

  Timeline& timeline_;
  const Topics& topics_;
  std::map<std::string, AttemptTruth> attempts_;  // by AttemptText()
  std::map<std::string, AlertTruth> alerts_;
  std::map<std::string, std::string> event_bytes_;  // by event id
  std::set<std::string> marked_;
  std::set<std::pair<size_t, std::int64_t>> finished_;  // number of the subscription, offset
  std::vector<std::string> violations_;
};

}  // namespace tocsin::model
