// What is true in a run, beside what the program believes, and the promises held against it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/domain/folding.h"
#include "common/domain/topics.h"
#include "tests/model/broker.h"
#include "tests/model/timeline.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin::model {

// The promises of an alert's terms, as the caller gave them.
struct Terms {
  WallTime send_at;
  WallTime not_after;
};

struct Counts {
  std::uint64_t alerts = 0, posts = 0, taken = 0, doubts = 0, kills = 0, freezes = 0, steps = 0;
  Counts& operator+=(const Counts& other);
};

class Books {
 public:
  Books(Timeline& timeline, const Topics& topics) : timeline_(timeline), topics_(topics) {}

  void Enqueued(const std::string& alert_id, const Terms& terms);
  void Appended(const IncomingRecord& record);

  // Of the claims store: a try was granted, an outcome stands after it was to be kept, an alert's
  // cancel was answered.
  void Granted(const v1::TryName& name);
  void Kept(const v1::TryName& name, const v1::Receipt& given, const v1::Receipt& stands);
  void Marked(const std::string& alert_id) { marked_.insert(alert_id); }

  // Of the carrier: a POST begins, is taken, asked for a pause; a callback was answered.
  void PostBegins(const v1::TryName& name);
  void Taken(const v1::TryName& name);
  void AskedToWait(const std::string& alert_id, WallTime until) { pauses_[alert_id] = until; }
  void Answered(const v1::TryName& name, const std::string& word);

  // Of a consumer: a record's consequences are on disk, a position was committed.
  void Finished(const Place& place, std::int64_t offset) { finished_.insert({place, offset}); }
  void Committed(const Place& place, std::int64_t from, std::int64_t to);

  // At rest.
  void Conclude(const Broker& broker, Dice& dice);

  void Violate(const std::string& what);
  bool Violated() const { return !violations_.empty(); }
  const std::vector<std::string>& Violations() const { return violations_; }
  Counts counts;

 private:
  struct TryBook {
    v1::TryName name;
    bool began = false;        // its try_started event is in the log
    bool doubted = false;      // its IN_DOUBT event is
    bool known = false;        // an event or callback proves that the carrier has it
    bool given_up = false;     // the event that says no try follows
    bool dead = false;         // the dead letter is
    bool settled = false;      // an outcome that is certain was kept
    bool undelivered = false;  // the carrier said so, and was answered
    unsigned posts = 0;
    unsigned taken = 0;
  };
  struct AlertBook {
    Terms terms;
    std::map<std::string, Fact> facts;  // by id
    bool delivered = false;             // the carrier said so, and was answered
    bool silent = false;                // no end was told, or none was answered
  };

  TryBook& Of(const v1::TryName& name);
  void ReadEvent(const IncomingRecord& record);
  void ReadWebhook(const IncomingRecord& record);
  void ConcludeTry(const TryBook& made);
  bool LostItsGuess(const std::string& alert_id, const FoldedAlert& folded);
  void ConcludeAlert(const std::string& alert_id, AlertBook& alert, Dice& dice);
  void CompareFolds(const std::string& alert_id, const FoldedAlert& folded, std::vector<Fact> facts,
                    Dice& dice);

  Timeline& timeline_;
  const Topics& topics_;
  std::map<std::string, TryBook> tries_;  // by alert_id.step.try
  std::map<std::string, AlertBook> alerts_;
  std::map<std::string, std::string> bytes_;  // event id -> the event
  std::map<std::string, WallTime> pauses_;
  std::set<std::string> marked_;
  std::set<std::pair<Place, std::int64_t>> finished_;
  std::vector<std::string> violations_;
};

}  // namespace tocsin::model
