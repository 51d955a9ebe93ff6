#include "tests/model/calls.h"

#include <array>
#include <string_view>
#include <utility>

#include "common/base/trace.h"
#include "common/domain/alert/ids.h"
#include "common/twilio/twiml/twiml.h"
#include "common/twilio/webhooks/callback_url.h"
#include "tests/model/simulation.h"

namespace tocsin::model {
namespace {

using namespace std::chrono_literals;

constexpr Micros kUntilRinging = 3s;
constexpr Micros kRingTimeout = 30s;
constexpr Micros kUntilEnd = 5s;      // of a call that is busy or cannot be connected
constexpr Micros kShortestText = 5s;  // until a key is pressed, or none
constexpr Micros kLongestText = 20s;
constexpr Micros kConfirmation = 3s;
constexpr double kScriptIsFetched = 0.2;  // it is too long for the POST
constexpr double kHangsUp = 0.1;          // instead of pressing a key, or after pressing it
constexpr const char* kPermanentCode = "13225";

// What a person presses, each equally likely; nothing: no key.
constexpr std::array<std::string_view, 20> kKeys{"1", "1", "1", "1", "1", "1", "1", "1", "1", "1",
                                                 "2", "3", "3", "7", "9", "",  "",  "",  "",  ""};

// The value of the attribute of the first element that has it; empty without one.
std::string AttributeOf(const std::string& twiml, std::string_view name) {
  const std::string begin = std::string(name) + "=\"";
  const size_t at = twiml.find(begin);
  if (at == std::string::npos) return {};
  const size_t from = at + begin.size();
  std::string value = twiml.substr(from, twiml.find('"', from) - from);
  constexpr std::string_view kEscaped = "&amp;";
  for (size_t found = value.find(kEscaped); found != std::string::npos;
       found = value.find(kEscaped, found + 1))
    value.replace(found, kEscaped.size(), "&");
  return value;
}

}  // namespace

struct SimulatedCalls::Call {
  v1::AttemptRef attempt;
  std::string sid;
  std::string account;
  FormFields fields;  // of every request
  std::string status_url;
  std::string script_url;  // empty: the script is in the POST
  std::string script;
  bool detects = false;     // machine detection was requested
  std::string answered_by;  // once it is answered and detected
  bool answered = false;
  bool machine = false;  // answered by one
  bool ended = false;
  int callback_count = 0;
};

Telephone Telephone::Draw(Dice& dice) {
  const auto chance = [&dice](double most) {
    return dice.Chance(0.5) ? most * static_cast<double>(1 + dice.Below(100)) / 100 : 0.0;
  };
  Telephone phone;
  phone.busy = chance(0.9);
  phone.no_answer = chance(0.5);
  phone.failed = chance(0.5);
  phone.failed_for_good = chance(0.1);
  phone.machine = chance(0.8);
  phone.misdetected = chance(0.5);
  return phone;
}

// As twilio::VoiceProvider does it.
void SimulatedCalls::Place(const Dispatch& dispatch, const std::string& sid) {
  const auto call = std::make_shared<Call>();
  const TraceContext trace = TraceContext::Continue(dispatch.traceparent);
  const auto token = twilio::AttemptTokenFor(dispatch, v1::CHANNEL_VOICE, simulation_.topics,
                                             simulation_.vault, simulation_.timeline.Now());
  if (!token) std::abort();
  call->attempt = dispatch.attempt;
  call->sid = sid;
  call->fields = {{"AccountSid", dispatch.account.sid},
                  {"CallSid", sid},
                  {"To", dispatch.to.Reveal()},
                  {"From", dispatch.sender.number}};
  call->status_url = twilio::CallbackUrl(kPublicUrl, "/twilio/voice/status/", *token, trace);
  if (simulation_.dice.Chance(kScriptIsFetched))
    call->script_url = twilio::CallbackUrl(kPublicUrl, "/twilio/voice/twiml/", *token, trace);
  else
    call->script = twilio::AlertTwiml(dispatch.voice, dispatch.text.Reveal(),
                                      twilio::GatherUrl(kPublicUrl, *token, trace, 1));
  call->detects = dispatch.voice.machine_detection();
  call->account = dispatch.account.sid;
  calls_[sid] = call;
  Report(call, "initiated");
  simulation_.timeline.After(simulation_.dice.Between(0us, kUntilRinging),
                             [this, call] { Ring(call); });
}

void SimulatedCalls::EndUnanswered(const std::string& sid) {
  const auto found = calls_.find(sid);
  if (found == calls_.end() || found->second->answered || found->second->ended) return;
  simulation_.checker.plans.CallEndRequested(found->second->attempt);
  End(found->second, "canceled", {});
}

std::vector<records::v1::AttemptResult> SimulatedCalls::CallsOf(const std::string& alert_id) const {
  std::vector<records::v1::AttemptResult> results;
  for (const auto& [sid, call] : calls_) {
    if (call->attempt.alert_id() != alert_id) continue;
    results.emplace_back().set_provider_sid(sid);
    results.back().set_account_sid(call->account);
  }
  return results;
}

void SimulatedCalls::Ring(const CallPtr& call) {
  if (call->ended) return;
  Dice& dice = simulation_.dice;
  const Telephone& phone = simulation_.telephone;
  Report(call, "ringing");
  const auto end = [&](Micros after, const char* word, const char* code = "") {
    simulation_.timeline.After(after, [this, call, word, code] { End(call, word, code); });
  };
  if (dice.Chance(phone.busy)) return end(dice.Between(0us, kUntilEnd), "busy");
  if (dice.Chance(phone.no_answer)) return end(kRingTimeout, "no-answer");
  if (dice.Chance(phone.failed)) return end(dice.Between(0us, kUntilEnd), "failed");
  if (dice.Chance(phone.failed_for_good))
    return end(dice.Between(0us, kUntilEnd), "failed", kPermanentCode);
  const bool machine = dice.Chance(phone.machine);
  simulation_.timeline.After(dice.Between(0us, kRingTimeout),
                             [this, call, machine] { Answer(call, machine); });
}

void SimulatedCalls::Answer(const CallPtr& call, bool machine) {
  if (call->ended) return;
  call->answered = true;
  call->machine = machine;
  if (!machine) simulation_.checker.plans.PersonAnswered(call->attempt);
  std::string answered_by;
  if (call->detects) {
    const bool counts_as_machine =
        machine || simulation_.dice.Chance(simulation_.telephone.misdetected);
    answered_by = counts_as_machine ? "machine_start" : "human";
  }
  Report(call, "in-progress");
  call->answered_by = std::move(answered_by);  // the detection takes some seconds
  if (call->script_url.empty()) return Play(call, call->script);
  Fetch(call, call->script_url, {});
}

void SimulatedCalls::Play(const CallPtr& call, const std::string& twiml) {
  const std::string url = AttributeOf(twiml, "action");
  if (url.empty()) {  // the confirmation
    simulation_.timeline.After(kConfirmation, [this, call] { End(call, "completed", {}); });
    return;
  }
  simulation_.timeline.After(simulation_.dice.Between(kShortestText, kLongestText),
                             [this, call, url] { Press(call, url); });
}

void SimulatedCalls::Press(const CallPtr& call, const std::string& url) {
  Dice& dice = simulation_.dice;
  if (!call->machine && dice.Chance(kHangsUp)) return End(call, "completed", {});
  const std::string key(call->machine ? std::string_view() : kKeys[dice.Below(kKeys.size())]);
  Fetch(call, url, key);
  if (!call->machine && dice.Chance(kHangsUp))  // while the request is in progress
    simulation_.timeline.After(dice.Between(0us, kConfirmation),
                               [this, call] { End(call, "completed", {}); });
}

void SimulatedCalls::Fetch(const CallPtr& call, const std::string& url, const std::string& key) {
  FormFields fields = call->fields;
  fields.emplace_back("CallStatus", "in-progress");
  if (!key.empty()) fields.emplace_back("Digits", key);
  simulation_.timeline.Trace(AttemptText(call->attempt) + " requests its script, key '" + key +
                             "'");
  if (!key.empty()) simulation_.checker.KeyPressed(call->attempt, key);
  provider_.Request(url, fields, [this, call, key](const std::optional<http::Response>& response) {
    if (response && !key.empty()) simulation_.checker.KeyConfirmed(call->attempt, key);
    if (call->ended) return;
    if (!response) return End(call, "completed", {});  // "an application error has occurred"
    Play(call, response->body);
  });
}

void SimulatedCalls::End(const CallPtr& call, const std::string& word, const std::string& code) {
  if (std::exchange(call->ended, true)) return;
  v1::AttemptStatus status = v1::ATTEMPT_STATUS_DELIVERED;
  if (word == "busy") status = v1::ATTEMPT_STATUS_BUSY;
  if (word == "no-answer") status = v1::ATTEMPT_STATUS_NO_ANSWER;
  if (word == "failed" || word == "canceled") status = v1::ATTEMPT_STATUS_FAILED;
  if (call->answered_by == "human") status = v1::ATTEMPT_STATUS_ANSWERED_HUMAN;
  if (call->answered_by == "machine_start") status = v1::ATTEMPT_STATUS_ANSWERED_MACHINE;
  simulation_.checker.CallEnded(call->attempt, status,
                                /*for_good=*/!code.empty() || word == "canceled");
  simulation_.timeline.Trace(AttemptText(call->attempt) + " ends: " + word);
  Report(call, word, code);
}

void SimulatedCalls::Report(const CallPtr& call, const std::string& word, const std::string& code) {
  FormFields fields = call->fields;
  fields.emplace_back("CallStatus", word);
  fields.emplace_back("SequenceNumber", std::to_string(call->callback_count++));
  if (!call->answered_by.empty() && simulation_.bug != Bug::kAnsweredByIgnored)
    fields.emplace_back("AnsweredBy", call->answered_by);
  if (!code.empty()) fields.emplace_back("ErrorCode", code);
  provider_.SendCallback(call->status_url, fields,
                         [this, attempt = call->attempt, last = call->ended](const auto& response) {
                           if (last)
                             simulation_.checker.CallReported(attempt, response.has_value());
                         });
}

}  // namespace tocsin::model
