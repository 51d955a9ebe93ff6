// CallEngine: the execution of TwiML while the call is answered.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "tools/twilio-sim/voice/call_engine.h"
#include "tools/twilio-sim/voice/call_resource.h"

namespace tocsin::sim {
namespace {

constexpr int kNoDocument = 11200;     // no 2xx response
constexpr int kNoDocumentUrl = 11100;  // invalid URL
constexpr int kSipOk = 200;
constexpr int kNoContent = 204;

constexpr double kCharactersPerSecond = 15;
constexpr CallSeconds kPlayDuration{5};
constexpr CallSeconds kDefaultPause{1};
constexpr CallSeconds kDefaultGatherTimeout{5};
constexpr CallSeconds kMaxDuration{14400};
constexpr CallSeconds kTimeToFirstKey{1};  // from the end of the prompt to the first key
constexpr CallSeconds kTimeBetweenKeys{0.3};
constexpr int kMaxVerbsAtOnce = 1000;  // verbs without duration

CallSeconds ReadLength(const std::string& text, CallSeconds otherwise) {
  int seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || seconds < 0) return otherwise;
  return std::min(CallSeconds(seconds), kMaxDuration);
}

bool IsAbsolute(const std::string& url) { return url.find("://") != std::string::npos; }

// Resolves a reference (absolute, path, or relative) against the URL of its document. Empty if it
// cannot be resolved.
std::string Resolve(const std::string& reference, const std::string& base) {
  if (reference.empty()) return base;
  if (IsAbsolute(reference)) return reference;
  const std::string url = base.substr(0, base.find_first_of("?#"));
  const size_t host = url.find("://");
  if (host == std::string::npos) return "";
  const size_t path = std::min(url.find('/', host + 3), url.size());
  if (reference.starts_with('/')) return url.substr(0, path) + reference;
  if (path == url.size()) return url + '/' + reference;
  return url.substr(0, url.rfind('/') + 1) + reference;
}

WebhookTarget TargetOf(const Verb& verb, const std::string& reference, const std::string& base) {
  return {.url = Resolve(reference, base), .get = verb.Attribute("method", "POST") == "GET"};
}

bool IsXml(std::string_view content_type) {
  const std::string_view type = content_type.substr(0, content_type.find(';'));
  return type == "text/xml" || type == "application/xml";
}

}  // namespace

// Requests a document with the parameters of every request about the call.
void CallEngine::Fetch(Call& call, const WebhookTarget& target, FormFields more, WallTime at) {
  Conversation& conversation = *call.conversation;
  conversation.verbs.clear();
  conversation.gather.reset();
  call.next_at.reset();
  if (conversation.documents >= kMaxDocuments) return HandleDocumentError(call, kNoDocumentUrl, at);
  FormFields form = CallForm(call, state_.calls.SidOf(call), state_.directory, call.status);
  std::move(more.begin(), more.end(), std::back_inserter(form));
  auto webhook = webhooks_.MakeWebhook(call.request.account, target.url, form, target.get);
  if (!webhook) return HandleDocumentError(call, kNoDocumentUrl, at);
  conversation.document = target;
  conversation.fetching = true;
  const unsigned document = ++conversation.documents;
  constexpr std::uint64_t kFirstStep = 2000;  // different from those of the status callbacks
  webhook->token = IdempotencyToken(state_.calls.Random(), call.number, kFirstStep + document);
  webhook->done = [&state = state_, number = call.number,
                   document](const WebhookResponse& response) {
    const std::lock_guard lock(state.mutex);
    state.calls.AddDocument({.call = number, .document = document, .response = response});
    state.earlier_step.notify_one();
  };
  webhooks_.Post(*std::move(webhook));
}

// The document is not available or invalid: requests the fallback URL, once; then ends the call.
void CallEngine::HandleDocumentError(Call& call, int code, WallTime at) {
  Conversation& conversation = *call.conversation;
  call.Note(code);
  if (!call.request.fallback.url.empty() && !conversation.in_fallback) {
    conversation.in_fallback = true;
    return Fetch(call, call.request.fallback,
                 {{"ErrorCode", std::to_string(code)}, {"ErrorUrl", conversation.document.url}},
                 at);
  }
  call.AddHeard(
      {.at = at, .kind = "error", .text = "We are sorry, an application error has occurred."});
  End(call, CallStatus::kCompleted, kSipOk, at);
}

void CallEngine::HandleDocument(const FetchedDocument& document, WallTime at) {
  Call* const call = state_.calls.Mutable(document.call);
  if (call == nullptr || !call->conversation) return;  // the call has ended
  Conversation& conversation = *call->conversation;
  if (!conversation.fetching || conversation.documents != document.document)
    return;  // the call was redirected
  conversation.fetching = false;
  const WebhookResponse& response = document.response;
  if (response.error_code != 0) {
    HandleDocumentError(*call, response.error_code, at);
  } else if (response.status / 100 != 2) {
    HandleDocumentError(*call, kNoDocument, at);
  } else if (response.status == kNoContent) {
    End(*call, CallStatus::kCompleted, kSipOk, at);
  } else if (!IsXml(response.content_type)) {
    HandleDocumentError(*call, kTwimlWrongType, at);
  } else if (auto verbs = ParseTwiml(response.body); !verbs) {
    HandleDocumentError(*call, verbs.error(), at);
  } else {
    conversation.verbs = *std::move(verbs);
    conversation.next_verb = 0;
    ContinueScript(*call, at);
  }
  if (!call->Final()) ScheduleNext(*call);
}

void CallEngine::StartScript(Call& call, WallTime at) {
  call.conversation->started = true;
  if (!call.request.script.url.empty()) return Fetch(call, call.request.script, {}, at);
  Conversation& conversation = *call.conversation;
  conversation.document = {};
  conversation.fetching = false;
  conversation.gather.reset();
  auto verbs = ParseTwiml(call.request.twiml);
  if (!verbs) return HandleDocumentError(call, verbs.error(), at);
  conversation.verbs = *std::move(verbs);
  conversation.next_verb = 0;
  ContinueScript(call, at);
}

// Executes verbs until one has a duration.
void CallEngine::ContinueScript(Call& call, WallTime at) {
  Conversation& conversation = *call.conversation;
  if (!conversation.started) return StartScript(call, at);
  if (conversation.gather) return Gather(call, at);
  for (int i = 0; i < kMaxVerbsAtOnce && conversation.next_verb < conversation.verbs.size(); ++i) {
    const Verb verb = conversation.verbs[conversation.next_verb++];
    if (!Execute(call, verb, at)) return;
  }
  End(call, CallStatus::kCompleted, kSipOk, at);
}

// False if the next verb must wait or the call has ended.
bool CallEngine::Execute(Call& call, const Verb& verb, WallTime at) {
  if (verb.name == "Say" || verb.name == "Play" || verb.name == "Pause") {
    call.next_at = at + RealTime(Play(call, verb, at));
    return false;
  }
  if (verb.name == "Gather") {
    StartGather(call, verb, at);
    return false;
  }
  if (verb.name == "Redirect") {
    const WebhookTarget target = TargetOf(verb, verb.text, call.conversation->document.url);
    call.AddHeard({.at = at, .kind = "redirect", .text = target.url});
    Fetch(call, target, {}, at);
    return false;
  }
  if (verb.name == "Hangup" || verb.name == "Reject") {
    call.AddHeard({.at = at, .kind = "hangup"});
    End(call, CallStatus::kCompleted, kSipOk, at);
    return false;
  }
  call.Note(kTwimlWarning);
  return true;
}

// Records what is heard. Returns its duration.
CallSeconds CallEngine::Play(Call& call, const Verb& verb, WallTime at) {
  if (verb.name == "Pause") {
    call.AddHeard({.at = at, .kind = "pause", .text = verb.Attribute("length", "1")});
    return ReadLength(verb.Attribute("length"), kDefaultPause);
  }
  const bool is_speech = verb.name == "Say";
  call.AddHeard({.at = at,
                 .kind = is_speech ? "say" : "play",
                 .text = verb.text,
                 .language = verb.Attribute("language"),
                 .voice = verb.Attribute("voice")});
  const CallSeconds once =
      is_speech ? CallSeconds(static_cast<double>(verb.text.size()) / kCharactersPerSecond)
                : kPlayDuration;
  const double loop = ReadLength(verb.Attribute("loop"), CallSeconds(1)).count();
  return loop == 0 ? kMaxDuration : std::min(once * loop, kMaxDuration);
}

void CallEngine::StartGather(Call& call, const Verb& verb, WallTime at) {
  Conversation& conversation = *call.conversation;
  GatherState gather{.action = TargetOf(verb, verb.Attribute("action"), conversation.document.url),
                     .finish_on = verb.Attribute("finishOnKey", "#").substr(0, 1),
                     .timeout = ReadLength(verb.Attribute("timeout"), kDefaultGatherTimeout),
                     .action_on_empty_result = verb.Attribute("actionOnEmptyResult") == "true"};
  gather.max_digits = static_cast<size_t>(ReadLength(verb.Attribute("numDigits"), {}).count());
  CallSeconds prompt{0};
  for (const Verb& inner : verb.nested) {
    const bool known = inner.name == "Say" || inner.name == "Play" || inner.name == "Pause";
    if (!known) call.Note(kTwimlWarning);
    if (known) prompt += Play(call, inner, at);
  }
  gather.deadline = at + RealTime(prompt + gather.timeout);
  call.AddHeard({.at = at, .kind = "gather"});
  const bool accepts_keys = verb.Attribute("input", "dtmf").find("dtmf") != std::string::npos;
  if (accepts_keys && conversation.next_keys < call.phone.keys.size()) {
    const KeyPress& press = call.phone.keys[conversation.next_keys++];
    CallSeconds when = press.after.value_or(prompt + std::min(kTimeToFirstKey, gather.timeout / 2));
    for (const char key : press.digits) {
      gather.presses.emplace_back(at + RealTime(when), key);
      when += kTimeBetweenKeys;
    }
  }
  conversation.gather = std::move(gather);
  Gather(call, at);
}

// Handles the keys pressed by `at`, and the timeout.
void CallEngine::Gather(Call& call, WallTime at) {
  while (!call.Final() && call.conversation->gather) {
    GatherState& gather = *call.conversation->gather;
    const bool pressed = !gather.presses.empty() && gather.presses.front().first <= gather.deadline;
    const WallTime next = pressed ? gather.presses.front().first : gather.deadline;
    if (next > at) {
      call.next_at = next;
      return;
    }
    if (!pressed) return EndGather(call, "", at);
    const char key = gather.presses.front().second;
    gather.presses.pop_front();
    HandleKey(call, key, at);
  }
}

void CallEngine::HandleKey(Call& call, char key, WallTime at) {
  GatherState& gather = *call.conversation->gather;
  if (gather.finish_on == std::string_view(&key, 1)) {
    return EndGather(call, std::string(gather.finish_on), at);
  }
  gather.digits += key;
  gather.deadline = at + RealTime(gather.timeout);  // the first key stops the prompt
  if (gather.max_digits != 0 && gather.digits.size() >= gather.max_digits) EndGather(call, "", at);
}

void CallEngine::EndGather(Call& call, const std::string& finished_on, WallTime at) {
  const GatherState gather = *std::exchange(call.conversation->gather, std::nullopt);
  if (!gather.digits.empty()) {
    call.AddHeard({.at = at, .kind = "digits", .text = gather.digits});
  }
  if (gather.digits.empty() && !gather.action_on_empty_result) return ContinueScript(call, at);
  FormFields more = {{"Digits", gather.digits}, {"msg", "Gather End"}};
  if (!finished_on.empty()) more.emplace_back("FinishedOnKey", finished_on);
  Fetch(call, gather.action, std::move(more), at);
}

bool CallEngine::Press(Call& call, std::string_view keys, WallTime now) {
  if (!call.conversation) return false;
  for (const char key : keys) {
    if (!call.conversation || !call.conversation->gather) break;  // no <Gather> is waiting
    HandleKey(call, key, now);
  }
  if (call.conversation && call.conversation->gather)
    call.next_at = call.conversation->gather->deadline;
  if (!call.Final()) ScheduleNext(call);
  return true;
}

bool CallEngine::Redirect(Call& call, const CallDraft& script, WallTime now) {
  if (!call.conversation) return false;
  call.request.script = script.script;
  call.request.twiml = script.twiml;
  if (!script.fallback.url.empty()) call.request.fallback = script.fallback;
  call.conversation->in_fallback = false;
  call.next_at.reset();
  if (!call.request.async_detection) call.detected_at.reset();
  StartScript(call, now);
  if (!call.Final()) ScheduleNext(call);
  return true;
}

}  // namespace tocsin::sim
