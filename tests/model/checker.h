// The ground truth of a run and the invariants checked against it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/domain/alert/alert_projection.h"
#include "common/ports/topics.h"
#include "tests/model/broker.h"
#include "tests/model/timeline.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin::model {

// The times of an alert, as the client requested them.
struct Terms {
  WallTime send_time;
  WallTime expire_time;
};

struct Counts {
  std::uint64_t alerts = 0, posts = 0, accepted = 0, in_doubt = 0, kills = 0, freezes = 0,
                not_received = 0, steps = 0;
  Counts& operator+=(const Counts& other);
};

class Checker {
 public:
  Checker(Timeline& timeline, const Topics& topics) : timeline_(timeline), topics_(topics) {}

  void Enqueued(const std::string& alert_id, const Terms& terms);
  void Appended(const IncomingRecord& record);

  // Reports of the claim store: an attempt was granted; a result was saved and `stored` is the
  // stored one; a cancel was confirmed to the client.
  void Granted(const v1::AttemptRef& ref);
  void Saved(const v1::AttemptRef& ref, const records::v1::AttemptResult& given,
             const std::optional<records::v1::AttemptResult>& stored);
  void Cancelled(const std::string& alert_id) { cancelled_.insert(alert_id); }

  // Reports of the provider: a POST started or was accepted; it requested a pause (Retry-After); a
  // callback was delivered (nothing: it was lost).
  void PostStarted(const v1::AttemptRef& ref);
  void Accepted(const v1::AttemptRef& ref);
  void PauseRequested(const std::string& alert_id, WallTime until) { pauses_[alert_id] = until; }
  void CalledBack(const v1::AttemptRef& ref, std::optional<v1::AttemptStatus> status);

  // Reports of a consumer: a record was finished, an offset was committed.
  void Finished(const Place& place, std::int64_t offset) { finished_.insert({place, offset}); }
  void Committed(const Place& place, std::int64_t from, std::int64_t to);

  // Checks the final state, after the last event of the run.
  void CheckFinalState(const Broker& broker, Dice& dice);

  void Violate(const std::string& what);
  bool Violated() const { return !violations_.empty(); }
  const std::vector<std::string>& Violations() const { return violations_; }
  Counts counts;

 private:
  struct AttemptTruth {
    v1::AttemptRef ref;
    bool started = false;       // its SENDING event is in the log
    bool was_in_doubt = false;  // its IN_DOUBT event is in the log
    bool not_received = false;  // its NOT_RECEIVED event is in the log
    bool known = false;         // an event or callback proves that it was accepted
    bool given_up = false;      // its FAILED event is the last
    bool dead = false;          // its dead letter is in the log
    bool certain = false;       // a certain result was saved
    bool undelivered = false;   // a callback reported it
    unsigned posts = 0;
    unsigned accepted = 0;
  };
  struct AlertTruth {
    Terms terms;
    std::map<std::string, AlertEvent> alert_events;  // by id
    bool delivered = false;                          // a callback reported it
    bool silent = false;                             // no callback reported a final status
  };

  AttemptTruth& Of(const v1::AttemptRef& ref);
  void ReadEvent(const IncomingRecord& record);
  void ReadWebhook(const IncomingRecord& record);
  void CheckAttempt(const AttemptTruth& attempt);
  bool LostItsSid(const std::string& alert_id, const ProjectedAlert& projected);
  void CheckAlert(const std::string& alert_id, AlertTruth& alert, Dice& dice);
  void CompareProjections(const std::string& alert_id, const ProjectedAlert& projected,
                          std::vector<AlertEvent> alert_events, Dice& dice);

  Timeline& timeline_;
  const Topics& topics_;
  std::map<std::string, AttemptTruth> attempts_;  // by AttemptText()
  std::map<std::string, AlertTruth> alerts_;
  std::map<std::string, std::string> event_bytes_;  // by event id
  std::map<std::string, WallTime> pauses_;
  std::set<std::string> cancelled_;
  std::set<std::pair<Place, std::int64_t>> finished_;
  std::vector<std::string> violations_;
};

}  // namespace tocsin::model
