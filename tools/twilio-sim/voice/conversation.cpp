// Exchange, while somebody is on the line.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "tools/twilio-sim/voice/call_resource.h"
#include "tools/twilio-sim/voice/exchange.h"

namespace tocsin::sim {
namespace {

constexpr int kNoDocument = 11200;     // no answer of 2xx
constexpr int kNoDocumentUrl = 11100;  // an address that is none
constexpr int kSipOk = 200;
constexpr int kNoContent = 204;

constexpr double kCharactersPerSecond = 15;
constexpr CallSeconds kPlayLasts{5};
constexpr CallSeconds kUsualPause{1};
constexpr CallSeconds kUsualGather{5};
constexpr CallSeconds kLongest{14400};
constexpr CallSeconds kThinking{1};  // from the end of the prompt to the first key
constexpr CallSeconds kBetweenKeys{0.3};
constexpr int kMaxVerbsAtOnce = 1000;  // verbs that take no time

CallSeconds ReadLength(const std::string& text, CallSeconds otherwise) {
  int seconds = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (fault != std::errc() || end != text.data() + text.size() || seconds < 0) return otherwise;
  return std::min(CallSeconds(seconds), kLongest);
}

bool IsAbsolute(const std::string& url) { return url.find("://") != std::string::npos; }

// A reference of a document, resolved against the document's own address: absolute, or a path, or a
// name beside it. Empty when it cannot be.
std::string Resolve(const std::string& reference, const std::string& base) {
  if (reference.empty()) return base;
  if (IsAbsolute(reference)) return reference;
  const std::string plain = base.substr(0, base.find_first_of("?#"));
  const size_t host = plain.find("://");
  if (host == std::string::npos) return "";
  const size_t path = std::min(plain.find('/', host + 3), plain.size());
  if (reference.starts_with('/')) return plain.substr(0, path) + reference;
  if (path == plain.size()) return plain + '/' + reference;
  return plain.substr(0, plain.rfind('/') + 1) + reference;
}

Hook HookOf(const Verb& verb, const std::string& reference, const std::string& base) {
  return {.url = Resolve(reference, base), .get = verb.Attribute("method", "POST") == "GET"};
}

bool IsXml(std::string_view content_type) {
  const std::string_view type = content_type.substr(0, content_type.find(';'));
  return type == "text/xml" || type == "application/xml";
}

}  // namespace

// Twilio asks for the document with the parameters that every request about the call carries.
void Exchange::Fetch(Call& call, const Hook& hook, FormFields more, WallTime at) {
  Conversation& talk = *call.talk;
  talk.verbs.clear();
  talk.gathering.reset();
  call.next_at.reset();
  if (talk.documents >= kMaxDocuments) return Fail(call, kNoDocumentUrl, at);
  FormFields form = CallForm(call, state_.calls.SidOf(call), state_.directory, call.status);
  std::move(more.begin(), more.end(), std::back_inserter(form));
  auto webhook = webhooks_.Make(call.asked.account, hook.url, form, hook.get);
  if (!webhook) return Fail(call, kNoDocumentUrl, at);
  talk.document = hook;
  talk.fetching = true;
  const unsigned document = ++talk.documents;
  constexpr std::uint64_t kFirstStep = 2000;  // beside those of the status callbacks
  webhook->token = IdempotencyToken(state_.calls.Randomness(), call.number, kFirstStep + document);
  webhook->done = [&state = state_, number = call.number, document](const WebhookAnswer& answer) {
    const std::lock_guard lock(state.mutex);
    state.calls.Arrive({.call = number, .document = document, .answer = answer});
    state.steps_ahead.notify_one();
  };
  webhooks_.Post(*std::move(webhook));
}

// The document could not be had or read: the fallback is asked, once; then the call ends.
void Exchange::Fail(Call& call, int code, WallTime at) {
  Conversation& talk = *call.talk;
  call.Note(code);
  if (!call.asked.fallback.url.empty() && !talk.in_fallback) {
    talk.in_fallback = true;
    return Fetch(call, call.asked.fallback,
                 {{"ErrorCode", std::to_string(code)}, {"ErrorUrl", talk.document.url}}, at);
  }
  call.Hear(
      {.at = at, .kind = "error", .text = "We are sorry, an application error has occurred."});
  End(call, CallStatus::kCompleted, kSipOk, at);
}

void Exchange::Receive(const ArrivedDocument& document, WallTime at) {
  Call* const call = state_.calls.Mutable(document.call);
  if (call == nullptr || !call->talk) return;  // it has ended meanwhile
  Conversation& talk = *call->talk;
  if (!talk.fetching || talk.documents != document.document) return;  // it has been redirected
  talk.fetching = false;
  const WebhookAnswer& answer = document.answer;
  if (answer.fault != 0) {
    Fail(*call, answer.fault, at);
  } else if (answer.status / 100 != 2) {
    Fail(*call, kNoDocument, at);
  } else if (answer.status == kNoContent) {
    End(*call, CallStatus::kCompleted, kSipOk, at);
  } else if (!IsXml(answer.content_type)) {
    Fail(*call, kTwimlWrongType, at);
  } else if (auto verbs = ParseTwiml(answer.body); !verbs) {
    Fail(*call, verbs.error(), at);
  } else {
    talk.verbs = *std::move(verbs);
    talk.next_verb = 0;
    Talk(*call, at);
  }
  if (!call->Final()) Wake(*call);
}

void Exchange::StartScript(Call& call, WallTime at) {
  call.talk->started = true;
  if (!call.asked.script.url.empty()) return Fetch(call, call.asked.script, {}, at);
  Conversation& talk = *call.talk;
  talk.document = {};
  talk.fetching = false;
  talk.gathering.reset();
  auto verbs = ParseTwiml(call.asked.twiml);
  if (!verbs) return Fail(call, verbs.error(), at);
  talk.verbs = *std::move(verbs);
  talk.next_verb = 0;
  Talk(call, at);
}

// Goes on with the document until something takes time.
void Exchange::Talk(Call& call, WallTime at) {
  Conversation& talk = *call.talk;
  if (!talk.started) return StartScript(call, at);
  if (talk.gathering) return Gather(call, at);
  for (int i = 0; i < kMaxVerbsAtOnce && talk.next_verb < talk.verbs.size(); ++i) {
    const Verb verb = talk.verbs[talk.next_verb++];
    if (!Perform(call, verb, at)) return;
  }
  End(call, CallStatus::kCompleted, kSipOk, at);
}

// False when what follows has to wait, or nothing does.
bool Exchange::Perform(Call& call, const Verb& verb, WallTime at) {
  if (verb.name == "Say" || verb.name == "Play" || verb.name == "Pause") {
    call.next_at = at + Lasts(Play(call, verb, at));
    return false;
  }
  if (verb.name == "Gather") {
    StartGather(call, verb, at);
    return false;
  }
  if (verb.name == "Redirect") {
    const Hook hook = HookOf(verb, verb.text, call.talk->document.url);
    call.Hear({.at = at, .kind = "redirect", .text = hook.url});
    Fetch(call, hook, {}, at);
    return false;
  }
  if (verb.name == "Hangup" || verb.name == "Reject") {
    call.Hear({.at = at, .kind = "hangup"});
    End(call, CallStatus::kCompleted, kSipOk, at);
    return false;
  }
  call.Note(kTwimlOddity);
  return true;
}

// What is heard, and how long it lasts.
CallSeconds Exchange::Play(Call& call, const Verb& verb, WallTime at) {
  if (verb.name == "Pause") {
    call.Hear({.at = at, .kind = "pause", .text = verb.Attribute("length", "1")});
    return ReadLength(verb.Attribute("length"), kUsualPause);
  }
  const bool spoken = verb.name == "Say";
  call.Hear({.at = at,
             .kind = spoken ? "say" : "play",
             .text = verb.text,
             .language = verb.Attribute("language"),
             .voice = verb.Attribute("voice")});
  const CallSeconds once =
      spoken ? CallSeconds(static_cast<double>(verb.text.size()) / kCharactersPerSecond)
             : kPlayLasts;
  const double loop = ReadLength(verb.Attribute("loop"), CallSeconds(1)).count();
  return loop == 0 ? kLongest : std::min(once * loop, kLongest);
}

void Exchange::StartGather(Call& call, const Verb& verb, WallTime at) {
  Conversation& talk = *call.talk;
  Gathering gathering{.action = HookOf(verb, verb.Attribute("action"), talk.document.url),
                      .finish_on = verb.Attribute("finishOnKey", "#").substr(0, 1),
                      .timeout = ReadLength(verb.Attribute("timeout"), kUsualGather),
                      .act_on_nothing = verb.Attribute("actionOnEmptyResult") == "true"};
  gathering.most = static_cast<size_t>(ReadLength(verb.Attribute("numDigits"), {}).count());
  CallSeconds prompt{0};
  for (const Verb& inner : verb.nested) {
    const bool known = inner.name == "Say" || inner.name == "Play" || inner.name == "Pause";
    if (!known) call.Note(kTwimlOddity);
    if (known) prompt += Play(call, inner, at);
  }
  gathering.deadline = at + Lasts(prompt + gathering.timeout);
  call.Hear({.at = at, .kind = "gather"});
  const bool takes_keys = verb.Attribute("input", "dtmf").find("dtmf") != std::string::npos;
  if (takes_keys && talk.next_keys < call.phone.keys.size()) {
    const KeyPress& press = call.phone.keys[talk.next_keys++];
    CallSeconds when = press.after.value_or(prompt + std::min(kThinking, gathering.timeout / 2));
    for (const char key : press.digits) {
      gathering.presses.emplace_back(at + Lasts(when), key);
      when += kBetweenKeys;
    }
  }
  talk.gathering = std::move(gathering);
  Gather(call, at);
}

// Takes the keys that have been pressed by `at`, and sees whether that was all.
void Exchange::Gather(Call& call, WallTime at) {
  while (!call.Final() && call.talk->gathering) {
    Gathering& gathering = *call.talk->gathering;
    const bool pressed =
        !gathering.presses.empty() && gathering.presses.front().first <= gathering.deadline;
    const WallTime next = pressed ? gathering.presses.front().first : gathering.deadline;
    if (next > at) {
      call.next_at = next;
      return;
    }
    if (!pressed) return EndGather(call, "", at);
    const char key = gathering.presses.front().second;
    gathering.presses.pop_front();
    TakeKey(call, key, at);
  }
}

void Exchange::TakeKey(Call& call, char key, WallTime at) {
  Gathering& gathering = *call.talk->gathering;
  if (gathering.finish_on == std::string_view(&key, 1)) {
    return EndGather(call, std::string(gathering.finish_on), at);
  }
  gathering.digits += key;
  gathering.deadline = at + Lasts(gathering.timeout);  // the prompt stops at the first key
  if (gathering.most != 0 && gathering.digits.size() >= gathering.most) EndGather(call, "", at);
}

void Exchange::EndGather(Call& call, const std::string& finished_on, WallTime at) {
  const Gathering gathering = *std::exchange(call.talk->gathering, std::nullopt);
  if (!gathering.digits.empty()) {
    call.Hear({.at = at, .kind = "digits", .text = gathering.digits});
  }
  if (gathering.digits.empty() && !gathering.act_on_nothing) return Talk(call, at);
  FormFields more = {{"Digits", gathering.digits}, {"msg", "Gather End"}};
  if (!finished_on.empty()) more.emplace_back("FinishedOnKey", finished_on);
  Fetch(call, gathering.action, std::move(more), at);
}

bool Exchange::Press(Call& call, std::string_view keys, WallTime now) {
  if (!call.talk) return false;
  for (const char key : keys) {
    if (!call.talk || !call.talk->gathering) break;  // nobody listens
    TakeKey(call, key, now);
  }
  if (call.talk && call.talk->gathering) call.next_at = call.talk->gathering->deadline;
  if (!call.Final()) Wake(call);
  return true;
}

bool Exchange::Redirect(Call& call, const CallDraft& script, WallTime now) {
  if (!call.talk) return false;
  call.asked.script = script.script;
  call.asked.twiml = script.twiml;
  if (!script.fallback.url.empty()) call.asked.fallback = script.fallback;
  call.talk->in_fallback = false;
  call.next_at.reset();
  if (!call.asked.async_detection) call.detected_at.reset();
  StartScript(call, now);
  if (!call.Final()) Wake(call);
  return true;
}

}  // namespace tocsin::sim
