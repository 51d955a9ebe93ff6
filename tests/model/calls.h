// The simulated calls: they ring, are answered or not, play the script and send pressed keys.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/ports/provider.h"
#include "tests/model/timeline.h"

namespace tocsin::model {

struct Simulation;
class SimulatedProvider;

// The telephone of a run: the chances of what a call finds there. The rest of the calls are
// answered by a person.
struct Telephone {
  double busy = 0;
  double no_answer = 0;
  double failed = 0;
  double failed_for_good = 0;  // with a code that rules out another call
  double machine = 0;
  double misdetected = 0;  // of the answers: a person is detected as a machine

  static Telephone Draw(Dice& dice);
};

class SimulatedCalls {
 public:
  SimulatedCalls(Simulation& simulation, SimulatedProvider& provider)
      : simulation_(simulation), provider_(provider) {}

  void Place(const Dispatch& dispatch, const std::string& sid);
  // No effect on a call that was answered or has ended.
  void EndUnanswered(const std::string& sid);
  std::vector<records::v1::AttemptResult> CallsOf(const std::string& alert_id) const;

 private:
  struct Call;
  using CallPtr = std::shared_ptr<Call>;

  void Ring(const CallPtr& call);
  void Answer(const CallPtr& call, bool machine);
  void Play(const CallPtr& call, const std::string& twiml);
  void Press(const CallPtr& call, const std::string& url);
  void Fetch(const CallPtr& call, const std::string& url, const std::string& key);
  void End(const CallPtr& call, const std::string& word, const std::string& code);
  void Report(const CallPtr& call, const std::string& word, const std::string& code = {});

  Simulation& simulation_;
  SimulatedProvider& provider_;
  std::map<std::string, CallPtr> calls_;  // by SID
};

}  // namespace tocsin::model
