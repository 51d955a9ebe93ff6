#include "tools/twilio-sim/voice/calls_api.h"

#include <optional>
#include <utility>

#include "tools/twilio-sim/api_errors.h"
#include "tools/twilio-sim/disturb.h"
#include "tools/twilio-sim/messages_api.h"
#include "tools/twilio-sim/paging.h"
#include "tools/twilio-sim/rest_api.h"
#include "tools/twilio-sim/voice/call_resource.h"
#include "tools/twilio-sim/voice/create_call.h"

namespace tocsin::sim {
namespace {

constexpr int kWrongState = 21220;

// Faults are drawn by the attempt's number; those of messages have the numbers without this bit.
constexpr std::uint64_t kCallAttempt = 1ULL << 63;

// StartTime and EndTime, plain, strictly before and on or after.
struct TimeFilter {
  std::optional<WallTime> from;   // inclusive
  std::optional<WallTime> until;  // exclusive

  bool Keeps(std::optional<WallTime> when) const {
    if (!from && !until) return true;
    return when && (!from || *when >= *from) && (!until || *when < *until);
  }
};

struct CallQuery : PageQuery {
  std::string to;
  std::string from;
  std::string parent;
  std::string status;
  TimeFilter started;
  TimeFilter ended;
};

bool ReadTime(std::string_view name, const std::string& value, TimeFilter& filter) {
  const std::optional<Span> span = ReadSpan(value);
  if (!span) return false;
  if (name.ends_with('<')) {
    filter.until = span->begin;
  } else {
    filter.from = span->begin;
    if (!name.ends_with('>')) filter.until = span->end;
  }
  return true;
}

// Unknown parameters are ignored. Nothing for a time that cannot be read.
std::optional<CallQuery> ReadCallQuery(const FormFields& parameters) {
  CallQuery query;
  ReadPaging(parameters, query);
  for (const auto& [name, value] : parameters) {
    if (value.empty()) continue;
    const bool time = name.starts_with("StartTime") || name.starts_with("EndTime");
    TimeFilter& filter = name.starts_with("StartTime") ? query.started : query.ended;
    std::string* const text = name == "To"              ? &query.to
                              : name == "From"          ? &query.from
                              : name == "ParentCallSid" ? &query.parent
                              : name == "Status"        ? &query.status
                                                        : nullptr;
    if (time && !ReadTime(name, value, filter)) return std::nullopt;
    if (text != nullptr) *text = value;
    if (time || text != nullptr) query.filters.emplace_back(name, value);
  }
  return query;
}

bool Matches(const Call& call, size_t account, const CallQuery& query) {
  if (call.deleted || call.asked.account != account || !query.parent.empty()) return false;
  if (!query.to.empty() && call.to != query.to) return false;
  if (!query.from.empty() && call.asked.from != query.from) return false;
  const CallStatus shown =
      call.status == CallStatus::kInitiated ? CallStatus::kQueued : call.status;
  if (!query.status.empty() && NameOf(shown) != query.status) return false;
  std::optional<WallTime> started;
  std::optional<WallTime> ended;
  if (call.Reached(CallStatus::kInitiated)) started = call.When(CallStatus::kInitiated);
  if (call.Final()) ended = call.When(call.status);
  return query.started.Keeps(started) && query.ended.Keeps(ended);
}

Attempt NewAttempt(Journal& journal, const FormFields& fields, WallTime now) {
  return {.number = journal.NextNumber(),
          .at = now,
          .to = std::string(Field(fields, "To")),
          .from = std::string(Field(fields, "From")),
          .status_callback = std::string(Field(fields, "StatusCallback"))};
}

}  // namespace

std::string CallsApi::Resource(const Call& call, WallTime now) const {
  std::string json;
  AppendCallResource(json, call, state_.calls.SidOf(call), state_.directory,
                     state_.messages.Speed(), now);
  return json;
}

Reply CallsApi::OnCollection(const http::Request& request, size_t account, std::uint64_t in_flight,
                             WallTime now) {
  if (request.method == "POST") return Create(request, account, in_flight, now);
  if (request.method == "GET") return ShowList(request, account, now);
  return ErrorReply(kMethodNotAllowed);
}

Reply CallsApi::Create(const http::Request& request, size_t account, std::uint64_t in_flight,
                       WallTime now) {
  const auto read = FormDecode(request.body, kMaxFormFields);
  const FormFields fields = read ? *read : FormFields{};
  const std::lock_guard lock(state_.mutex);
  Attempt attempt = NewAttempt(state_.call_journal, fields, now);
  Fault fault = state_.faults.ForCreate(attempt.number | kCallAttempt, request.reused);
  const size_t limit = state_.faults.Create().max_in_flight;
  if (limit != 0 && in_flight > limit) fault = {.kind = FaultKind::kTooMany};
  attempt.fault = fault.kind;
  Reply plain;
  if (fault.kind == FaultKind::kRefuse) attempt.code = fault.code;
  if (!AcceptsNothing(fault.kind)) {
    CallDraft draft;
    draft.request_number = attempt.number;
    attempt.code = read ? JudgeCall(fields, account, state_.directory, state_.queues, now, draft)
                        : kUnreadableForm;
    if (attempt.code == kNoError) {
      const Call& call = exchange_.Place(draft, now);
      attempt.message = call.number;
      plain = JsonReply(201, Resource(call, now));
    } else {
      plain = ErrorReply(attempt.code);
    }
  }
  state_.call_journal.Add(std::move(attempt));
  return Disturb(std::move(plain), fault, state_.faults.Create());
}

void CallsApi::NoteUnauthenticated(const http::Request& request, WallTime now) {
  const auto fields = FormDecode(request.body, kMaxFormFields);
  const std::lock_guard lock(state_.mutex);
  Attempt attempt = NewAttempt(state_.call_journal, fields ? *fields : FormFields{}, now);
  attempt.code = kBadCredentials;
  state_.call_journal.Add(std::move(attempt));
}

Reply CallsApi::ShowList(const http::Request& request, size_t account, WallTime now) {
  const auto parameters = FormDecode(request.Query(), kMaxFormFields);
  const auto query = parameters ? ReadCallQuery(*parameters) : std::nullopt;
  if (!query) return ErrorReply(kUnreadableForm);
  const std::lock_guard lock(state_.mutex);
  const WallTime until = now - state_.faults.ListLag();
  const Calls& calls = state_.calls;
  const ListPage page = PageOf(
      calls.Kept(), query->to, *query, MarkOf(*query, calls.Randomness()),
      [&](const Call& call) { return call.created <= until && Matches(call, account, *query); });
  std::string json = "{\"calls\":[";
  for (const std::uint64_t number : page.numbers) {
    if (json.back() != '[') json += ',';
    json += Resource(*calls.Find(number), now);
  }
  json += "],";
  json += PageMembers(std::string(request.Path()), *query, page,
                      [&](std::uint64_t number) { return calls.SidOf(*calls.Find(number)); });
  json += '}';
  return JsonReply(200, std::move(json));
}

// The code of what is wrong with the change, or kNoError when it has been made.
int CallsApi::Change(Call& call, const FormFields& fields, WallTime now) {
  const std::string_view status = Field(fields, "Status");
  if (status == "canceled") return exchange_.Cancel(call, now) ? kNoError : kWrongState;
  if (status == "completed") return exchange_.Complete(call, now) ? kNoError : kWrongState;
  if (!status.empty()) return kUnreadableForm;
  CallDraft script;
  if (const int code = JudgeRedirect(fields, script)) return code;
  if (script.script.url.empty() && script.twiml.empty()) return kNoError;
  return exchange_.Redirect(call, script, now) ? kNoError : kWrongState;
}

Reply CallsApi::OnItem(const http::Request& request, size_t account, const std::string& sid,
                       WallTime now) {
  const std::string& method = request.method;
  if (method != "GET" && method != "POST" && method != "DELETE") {
    return ErrorReply(kMethodNotAllowed);
  }
  const auto fields = FormDecode(request.body, kMaxFormFields);
  const std::lock_guard lock(state_.mutex);
  Call* const call = state_.calls.Show(sid);
  if (call == nullptr || call->asked.account != account) return ErrorReply(kNotFound);
  if (method == "DELETE") {
    if (!call->Final()) return ErrorReply(kNotFinished);
    call->deleted = true;
    return {.response = {.status = 204, .content_type = {}, .body = {}}};
  }
  if (method == "POST") {
    const int code = fields ? Change(*call, *fields, now) : kUnreadableForm;
    if (code != kNoError) return ErrorReply(code);
  }
  return JsonReply(200, Resource(*call, now));
}

}  // namespace tocsin::sim
