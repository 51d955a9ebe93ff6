// The telephone exchange: carries each call from its queue to its end and runs its TwiML.
// https://www.twilio.com/docs/voice/api/call-resource and /docs/voice/twiml
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tools/twilio-sim/state.h"
#include "tools/twilio-sim/webhooks.h"

namespace tocsin::sim {

constexpr unsigned kMaxDocuments = 100;  // TwiML fetched in one call: a loop of Redirects ends

// Every member is called with the state's lock held and never blocks.
class Exchange {
 public:
  // Both outlive it.
  Exchange(State& state, Webhooks& webhooks) : state_(state), webhooks_(webhooks) {}

  // A new call, queued.
  const Call& Place(const CallDraft& draft, WallTime now);

  // Does what is due at `now`.
  void Advance(WallTime now);

  // What people at the telephone do by hand. False when the call is not in the state for it.
  bool PickUp(Call& call, WallTime now);                        // one that rings
  bool Press(Call& call, std::string_view keys, WallTime now);  // one that is answered
  bool PutDown(Call& call, WallTime now);                       // rejects, or hangs up

  // What the caller's program asks for. False when the call is not in the state for it.
  bool Cancel(Call& call, WallTime now);  // queued or ringing; an answered one goes on
  bool Complete(Call& call, WallTime now);
  bool Redirect(Call& call, const CallDraft& script, WallTime now);

 private:
  // call_life.cpp: from the queue to the answer, and the end.
  void Look(Call& call, WallTime at);
  void Step(Call& call, WallTime at);
  void Ring(Call& call, WallTime at);
  void Answer(Call& call, WallTime at);
  void Detect(Call& call, WallTime at);
  void End(Call& call, CallStatus status, int sip, WallTime at);
  void Enter(Call& call, CallStatus status, WallTime at);
  void Tell(Call& call, CallEvent event, WallTime at);
  void Wake(const Call& call);
  Micros Lasts(CallSeconds seconds) const;

  // conversation.cpp: while somebody is on the line.
  void StartScript(Call& call, WallTime at);
  void Talk(Call& call, WallTime at);
  bool Perform(Call& call, const Verb& verb, WallTime at);
  CallSeconds Play(Call& call, const Verb& verb, WallTime at);
  void StartGather(Call& call, const Verb& verb, WallTime at);
  void Gather(Call& call, WallTime at);
  void TakeKey(Call& call, char key, WallTime at);
  void EndGather(Call& call, const std::string& finished_on, WallTime at);
  void Fetch(Call& call, const Hook& hook, FormFields more, WallTime at);
  void Receive(const ArrivedDocument& document, WallTime at);
  void Fail(Call& call, int code, WallTime at);

  State& state_;
  Webhooks& webhooks_;
};

}  // namespace tocsin::sim
