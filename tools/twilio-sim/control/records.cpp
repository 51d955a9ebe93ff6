#include "tools/twilio-sim/control/records.h"

#include <algorithm>
#include <mutex>

#include "common/base/digest.h"
#include "common/base/encoding.h"
#include "tools/twilio-sim/json_writer.h"

namespace tocsin::sim {
namespace {

constexpr std::uint64_t kRecordsPerLock = 500;

// The last part of the path of the URL: the attempt token of Tocsin.
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

// The names of the set bits.
template <typename Names>
std::string NamesOf(unsigned bits, const Names& names) {
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
  writer.Raw("acknowledged", NamesOf(message.acknowledged, kStatusNames));
  if (message.Inbound()) writer.TextOrNull("twilio_answer", message.auto_reply);
  writer.Boolean("redacted", message.redacted);
  writer.Boolean("deleted", message.deleted);
  writer.Close();
  out += '\n';
}

std::string HeardJson(const Call& call) {
  std::string json = "[";
  for (const HeardItem& item : call.heard) {
    if (json.size() > 1) json += ',';
    ObjectWriter writer(json);
    writer.Number("at_us", ToUnixMicros(item.at));
    writer.Text("kind", item.kind);
    writer.TextOrNull("text", ScrubUtf8(item.text));
    if (!item.language.empty()) writer.Text("language", ScrubUtf8(item.language));
    if (!item.voice.empty()) writer.Text("voice", ScrubUtf8(item.voice));
    writer.Close();
  }
  return json + ']';
}

std::string NotesJson(const Call& call) {
  std::string json = "[";
  for (const int code : call.notes) {
    if (json.size() > 1) json += ',';
    json += std::to_string(code);
  }
  return json + ']';
}

void AppendCallLine(std::string& out, const State& state, const Call& call) {
  const CallDraft& request = call.request;
  ObjectWriter writer(out);
  writer.Number("number", static_cast<std::int64_t>(call.number));
  writer.Text("sid", state.calls.SidOf(call));
  writer.Number("request", static_cast<std::int64_t>(request.request_number));
  writer.Text("account_sid", state.directory.Accounts()[request.account].sid);
  writer.Text("to", call.to);
  writer.Text("from", request.from);
  writer.TextOrNull("url", request.script.url);
  writer.TextOrNull("twiml", request.twiml);
  writer.TextOrNull("status_callback", request.status_callback.url);
  writer.TextOrNull("token", LastPathPart(request.status_callback.url));
  writer.Raw("events", NamesOf(request.events, kCallEventNames));
  writer.Number("created_us", ToUnixMicros(call.created));
  writer.Text("status", NameOf(call.status));
  writer.NumberOrNull("sip", call.sip);
  writer.TextOrNull("answered_by", call.answered_by);
  writer.Raw("duration_s", std::to_string(call.duration.count()));
  writer.Raw("history", History(call.reached, kCallStatusNames));
  writer.Raw("acknowledged", NamesOf(call.acknowledged, kCallEventNames));
  writer.Boolean("listening", call.conversation && call.conversation->gather);
  writer.Raw("heard", HeardJson(call));
  writer.Number("heard_left_out", static_cast<std::int64_t>(call.heard_dropped));
  writer.Raw("notes", NotesJson(call));
  writer.Boolean("deleted", call.deleted);
  writer.Close();
  out += '\n';
}

// The SID, numbers and callback of an attempt; of its message or call if accepted.
struct AttemptSubject {
  std::string sid;
  std::string to;
  std::string from;
  std::string status_callback;
};

AttemptSubject SubjectOf(const State& state, const Attempt& attempt, bool is_call) {
  const Message* const message = is_call ? nullptr : state.messages.Find(attempt.message);
  const Call* const call = is_call ? state.calls.Find(attempt.message) : nullptr;
  if (message != nullptr) {
    return {state.messages.SidOf(*message), message->to, message->from, message->status_callback};
  }
  if (call != nullptr) {
    return {state.calls.SidOf(*call), call->to, call->request.from,
            call->request.status_callback.url};
  }
  return {"", attempt.to, attempt.from, attempt.status_callback};
}

void AppendAttemptLine(std::string& out, const State& state, const Attempt& attempt, bool is_call) {
  const bool accepted = attempt.message != 0;
  const AttemptSubject subject = SubjectOf(state, attempt, is_call);
  ObjectWriter writer(out);
  writer.Number("number", static_cast<std::int64_t>(attempt.number));
  writer.Number("at_us", ToUnixMicros(attempt.at));
  writer.Text("result", accepted ? "accepted" : attempt.code != 0 ? "refused" : "fault");
  writer.Boolean("accepted", accepted);
  writer.NumberOrNull("code", attempt.code);
  writer.TextOrNull("fault", attempt.fault == FaultKind::kNone ? "" : NameOf(attempt.fault));
  writer.NumberOrNull(is_call ? "call" : "message", static_cast<std::int64_t>(attempt.message));
  writer.TextOrNull("sid", subject.sid);
  writer.TextOrNull("to", ScrubUtf8(subject.to));
  writer.TextOrNull("from", ScrubUtf8(subject.from));
  writer.TextOrNull("status_callback", ScrubUtf8(subject.status_callback));
  writer.TextOrNull("token", ScrubUtf8(LastPathPart(subject.status_callback)));
  writer.Close();
  out += '\n';
}

void AppendLine(std::string& out, const State& state, RecordKind kind, std::uint64_t number) {
  switch (kind) {
    case RecordKind::kMessages: return AppendMessageLine(out, state, *state.messages.Find(number));
    case RecordKind::kCalls: return AppendCallLine(out, state, *state.calls.Find(number));
    case RecordKind::kRequests:
      return AppendAttemptLine(out, state, *state.attempt_log.Find(number), false);
    case RecordKind::kCallRequests:
      return AppendAttemptLine(out, state, *state.call_attempt_log.Find(number), true);
  }
}

// Numbers of the first and last kept record, and how many were dropped.
struct NumberRange {
  std::uint64_t first;
  std::uint64_t last;
  std::uint64_t dropped;
};

template <typename Store>
NumberRange RangeOf(const Store& kept) {
  return {kept.First(), kept.Last(), kept.Dropped()};
}

NumberRange RangeOf(const State& state, RecordKind kind) {
  switch (kind) {
    case RecordKind::kMessages: return RangeOf(state.messages.Store());
    case RecordKind::kCalls: return RangeOf(state.calls.Store());
    case RecordKind::kRequests: return RangeOf(state.attempt_log);
    case RecordKind::kCallRequests: return RangeOf(state.call_attempt_log);
  }
  return {};
}

}  // namespace

RecordBatch ReadRecords(State& state, RecordKind kind, std::uint64_t after, std::uint64_t limit) {
  RecordBatch batch;
  for (std::uint64_t next = after + 1; limit > 0;) {
    const std::lock_guard lock(state.mutex);
    const NumberRange range = RangeOf(state, kind);
    batch.dropped = range.dropped;
    next = std::max(next, range.first);
    if (next > range.last) break;
    const std::uint64_t stop = std::min(range.last + 1, next + std::min(limit, kRecordsPerLock));
    limit -= stop - next;
    for (; next < stop; ++next) AppendLine(batch.lines, state, kind, next);
  }
  return batch;
}

}  // namespace tocsin::sim
