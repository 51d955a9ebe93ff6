#include "tools/twilio-sim/books.h"

#include <algorithm>
#include <mutex>

#include "common/base/digest.h"
#include "common/base/encoding.h"
#include "tools/twilio-sim/json.h"

namespace tocsin::sim {
namespace {

constexpr std::uint64_t kChunk = 500;  // records written under one hold of the lock

// The last part of the address's path: where Tocsin puts the token of its try.
std::string_view LastPathPart(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  const size_t slash = url.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : url.substr(slash + 1);
}

template <typename Times, typename Names>
std::string History(const Times& reached, const Names& names) {
  std::string json = "[";
  for (size_t i = 0; i < names.size(); ++i) {
    if (reached[i] == 0) continue;
    if (json.size() > 1) json += ',';
    ObjectWriter writer(json);
    writer.Text("status", names[i]);
    writer.Number("at_us", reached[i]);
    writer.Close();
  }
  return json + ']';
}

// The names of the bits that are set.
template <typename Names>
std::string Named(unsigned bits, const Names& names) {
  std::string json = "[";
  for (size_t i = 0; i < names.size(); ++i) {
    if ((bits >> i & 1U) == 0) continue;
    if (json.size() > 1) json += ',';
    AppendQuoted(json, names[i]);
  }
  return json + ']';
}

void AppendMessageLine(std::string& out, const State& state, const Message& message) {
  ObjectWriter writer(out);
  writer.Number("number", static_cast<std::int64_t>(message.number));
  writer.Text("sid", state.messages.SidOf(message));
  writer.Number("request", static_cast<std::int64_t>(message.request_number));
  writer.Text("account_sid", state.directory.Accounts()[message.account].sid);
  writer.TextOrNull("messaging_service_sid",
                    message.service ? state.directory.Service(*message.service).sid : "");
  writer.Text("direction", message.Inbound() ? "inbound" : "outbound-api");
  writer.Text("to", message.to);
  writer.TextOrNull("from", message.from);
  writer.Text("body", message.body);
  writer.Text("body_sha256", HexEncode(Sha256(message.body)));
  writer.TextOrNull("status_callback", message.status_callback);
  writer.TextOrNull("token", LastPathPart(message.status_callback));
  writer.Number("validity_period", message.validity.count());
  writer.Number("segments", message.segments);
  writer.Number("created_us", ToUnixMicros(message.created));
  writer.Text("status", NameOf(message.status));
  writer.NumberOrNull("error_code", message.error_code);
  writer.Raw("history", History(message.reached, kStatusNames));
  writer.Raw("acknowledged", Named(message.acknowledged, kStatusNames));
  if (message.Inbound()) writer.TextOrNull("twilio_answer", message.answer);
  writer.Boolean("redacted", message.redacted);
  writer.Boolean("deleted", message.deleted);
  writer.Close();
  out += '\n';
}

std::string Heard(const Call& call) {
  std::string json = "[";
  for (const Moment& moment : call.moments) {
    if (json.size() > 1) json += ',';
    ObjectWriter writer(json);
    writer.Number("at_us", ToUnixMicros(moment.at));
    writer.Text("kind", moment.kind);
    writer.TextOrNull("text", ScrubUtf8(moment.text));
    if (!moment.language.empty()) writer.Text("language", ScrubUtf8(moment.language));
    if (!moment.voice.empty()) writer.Text("voice", ScrubUtf8(moment.voice));
    writer.Close();
  }
  return json + ']';
}

std::string Notes(const Call& call) {
  std::string json = "[";
  for (const int code : call.notes) {
    if (json.size() > 1) json += ',';
    json += std::to_string(code);
  }
  return json + ']';
}

void AppendCallLine(std::string& out, const State& state, const Call& call) {
  const CallDraft& asked = call.asked;
  ObjectWriter writer(out);
  writer.Number("number", static_cast<std::int64_t>(call.number));
  writer.Text("sid", state.calls.SidOf(call));
  writer.Number("request", static_cast<std::int64_t>(asked.request_number));
  writer.Text("account_sid", state.directory.Accounts()[asked.account].sid);
  writer.Text("to", call.to);
  writer.Text("from", asked.from);
  writer.TextOrNull("url", asked.script.url);
  writer.TextOrNull("twiml", asked.twiml);
  writer.TextOrNull("status_callback", asked.status_callback.url);
  writer.TextOrNull("token", LastPathPart(asked.status_callback.url));
  writer.Raw("events", Named(asked.events, kCallEventNames));
  writer.Number("created_us", ToUnixMicros(call.created));
  writer.Text("status", NameOf(call.status));
  writer.NumberOrNull("sip", call.sip);
  writer.TextOrNull("answered_by", call.answered_by);
  writer.Raw("duration_s", std::to_string(call.talked.count()));
  writer.Raw("history", History(call.reached, kCallStatusNames));
  writer.Raw("acknowledged", Named(call.acknowledged, kCallEventNames));
  writer.Boolean("listening", call.talk && call.talk->gathering);
  writer.Raw("heard", Heard(call));
  writer.Number("heard_left_out", static_cast<std::int64_t>(call.moments_left_out));
  writer.Raw("notes", Notes(call));
  writer.Boolean("deleted", call.deleted);
  writer.Close();
  out += '\n';
}

// Whom the attempt was about: of an accepted one, its message or call tells.
struct About {
  std::string sid;
  std::string to;
  std::string from;
  std::string status_callback;
};

About AboutOf(const State& state, const Attempt& attempt, bool of_call) {
  const Message* const message = of_call ? nullptr : state.messages.Find(attempt.message);
  const Call* const call = of_call ? state.calls.Find(attempt.message) : nullptr;
  if (message != nullptr) {
    return {state.messages.SidOf(*message), message->to, message->from, message->status_callback};
  }
  if (call != nullptr) {
    return {state.calls.SidOf(*call), call->to, call->asked.from, call->asked.status_callback.url};
  }
  return {"", attempt.to, attempt.from, attempt.status_callback};
}

void AppendAttemptLine(std::string& out, const State& state, const Attempt& attempt, bool of_call) {
  const bool accepted = attempt.message != 0;
  const About about = AboutOf(state, attempt, of_call);
  ObjectWriter writer(out);
  writer.Number("number", static_cast<std::int64_t>(attempt.number));
  writer.Number("at_us", ToUnixMicros(attempt.at));
  writer.Text("verdict", accepted ? "accepted" : attempt.code != 0 ? "refused" : "fault");
  writer.Boolean("accepted", accepted);
  writer.NumberOrNull("code", attempt.code);
  writer.TextOrNull("fault", attempt.fault == FaultKind::kNone ? "" : NameOf(attempt.fault));
  writer.NumberOrNull(of_call ? "call" : "message", static_cast<std::int64_t>(attempt.message));
  writer.TextOrNull("sid", about.sid);
  writer.TextOrNull("to", ScrubUtf8(about.to));
  writer.TextOrNull("from", ScrubUtf8(about.from));
  writer.TextOrNull("status_callback", ScrubUtf8(about.status_callback));
  writer.TextOrNull("token", ScrubUtf8(LastPathPart(about.status_callback)));
  writer.Close();
  out += '\n';
}

void AppendLine(std::string& out, const State& state, Book book, std::uint64_t number) {
  switch (book) {
    case Book::kMessages: return AppendMessageLine(out, state, *state.messages.Find(number));
    case Book::kCalls: return AppendCallLine(out, state, *state.calls.Find(number));
    case Book::kRequests: return AppendAttemptLine(out, state, *state.journal.Find(number), false);
    case Book::kCallRequests:
      return AppendAttemptLine(out, state, *state.call_journal.Find(number), true);
  }
}

// The numbers of the records that are kept, and how many are no longer.
struct Extent {
  std::uint64_t first;
  std::uint64_t last;
  std::uint64_t dropped;
};

template <typename Kept>
Extent ExtentOf(const Kept& kept) {
  return {kept.First(), kept.Last(), kept.Dropped()};
}

Extent ExtentOf(const State& state, Book book) {
  switch (book) {
    case Book::kMessages: return ExtentOf(state.messages.Kept());
    case Book::kCalls: return ExtentOf(state.calls.Kept());
    case Book::kRequests: return ExtentOf(state.journal);
    case Book::kCallRequests: return ExtentOf(state.call_journal);
  }
  return {};
}

}  // namespace

BookPart ReadBook(State& state, Book book, std::uint64_t after, std::uint64_t limit) {
  BookPart part;
  for (std::uint64_t next = after + 1; limit > 0;) {
    const std::lock_guard lock(state.mutex);
    const Extent extent = ExtentOf(state, book);
    part.dropped = extent.dropped;
    next = std::max(next, extent.first);
    if (next > extent.last) break;
    const std::uint64_t stop = std::min(extent.last + 1, next + std::min(limit, kChunk));
    limit -= stop - next;
    for (; next < stop; ++next) AppendLine(part.lines, state, book, next);
  }
  return part;
}

}  // namespace tocsin::sim
