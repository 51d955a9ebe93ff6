// Simulates calls from the queue to their end and executes their TwiML.
// https://www.twilio.com/docs/voice/api/call-resource and /docs/voice/twiml
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tools/twilio-sim/state.h"
#include "tools/twilio-sim/webhooks/webhooks.h"

namespace tocsin::sim {

constexpr unsigned kMaxDocuments = 100;  // fetched in one call; ends a loop of <Redirect>

// The caller of every member holds the lock of the state. Never blocks.
class CallEngine {
 public:
  // `state` and `webhooks` outlive it.
  CallEngine(State& state, Webhooks& webhooks) : state_(state), webhooks_(webhooks) {}

  // Adds a new call, queued.
  const Call& Place(const CallDraft& draft, WallTime now);

  // Makes all changes that are due at `now`.
  void Advance(WallTime now);

  // Actions of the recipient. False if the call is in the wrong state.
  bool PickUp(Call& call, WallTime now);                        // a ringing call
  bool Press(Call& call, std::string_view keys, WallTime now);  // an answered call
  bool HangUp(Call& call, WallTime now);                        // declines or ends the call

  // Updates by the API. False if the call is in the wrong state.
  bool Cancel(Call& call, WallTime now);  // no effect if it is answered
  bool Complete(Call& call, WallTime now);
  bool Redirect(Call& call, const CallDraft& script, WallTime now);

 private:
  // call_progress.cpp: from the queue to the answer, and the end.
  void HandleDue(Call& call, WallTime at);
  void Proceed(Call& call, WallTime at);
  void Ring(Call& call, WallTime at);
  void Answer(Call& call, WallTime at);
  void Detect(Call& call, WallTime at);
  void End(Call& call, CallStatus status, int sip, WallTime at);
  void SetStatus(Call& call, CallStatus status, WallTime at);
  void PostEvent(Call& call, CallEvent event, WallTime at);
  void ScheduleNext(const Call& call);
  Micros RealTime(CallSeconds seconds) const;

  // call_script.cpp: while the call is answered.
  void StartScript(Call& call, WallTime at);
  void ContinueScript(Call& call, WallTime at);
  bool Execute(Call& call, const Verb& verb, WallTime at);
  CallSeconds Play(Call& call, const Verb& verb, WallTime at);
  void StartGather(Call& call, const Verb& verb, WallTime at);
  void Gather(Call& call, WallTime at);
  void HandleKey(Call& call, char key, WallTime at);
  void EndGather(Call& call, const std::string& finished_on, WallTime at);
  void Fetch(Call& call, const WebhookTarget& target, FormFields more, WallTime at);
  void HandleDocument(const FetchedDocument& document, WallTime at);
  void HandleDocumentError(Call& call, int code, WallTime at);

  State& state_;
  Webhooks& webhooks_;
};

}  // namespace tocsin::sim
