#include "tools/twilio-sim/voice/calls_api.h"

#include <optional>
#include <utility>

#include "tools/twilio-sim/api/api_errors.h"
#include "tools/twilio-sim/api/fault_response.h"
#include "tools/twilio-sim/api/paging.h"
#include "tools/twilio-sim/voice/call_resource.h"
#include "tools/twilio-sim/voice/create_call.h"

namespace tocsin::sim {
namespace {

constexpr int kWrongState = 21220;

// Faults are selected by the number of the attempt. Attempts to create messages do not have this
// bit.
constexpr std::uint64_t kCallAttempt = 1ULL << 63;

// StartTime and EndTime: equal, before (<), or on and after (>).
struct TimeFilter {
  std::optional<WallTime> from;   // inclusive
  std::optional<WallTime> until;  // exclusive

  bool Includes(std::optional<WallTime> when) const {
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
  const std::optional<TimeRange> range = ParseTimeRange(value);
  if (!range) return false;
  if (name.ends_with('<')) {
    filter.until = range->begin;
  } else {
    filter.from = range->begin;
    if (!name.ends_with('>')) filter.until = range->end;
  }
  return true;
}

// Ignores unknown parameters. Nothing if a time is invalid.
std::optional<CallQuery> ParseCallQuery(const FormFields& parameters) {
  CallQuery query;
  ParsePaging(parameters, query);
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
  if (call.deleted || call.request.account != account || !query.parent.empty()) return false;
  if (!query.to.empty() && call.to != query.to) return false;
  if (!query.from.empty() && call.request.from != query.from) return false;
  const CallStatus shown =
      call.status == CallStatus::kInitiated ? CallStatus::kQueued : call.status;
  if (!query.status.empty() && NameOf(shown) != query.status) return false;
  std::optional<WallTime> started;
  std::optional<WallTime> ended;
  if (call.Reached(CallStatus::kInitiated)) started = call.When(CallStatus::kInitiated);
  if (call.Final()) ended = call.When(call.status);
  return query.started.Includes(started) && query.ended.Includes(ended);
}

Attempt NewAttempt(AttemptLog& attempt_log, const FormFields& fields, WallTime now) {
  return {.number = attempt_log.NextNumber(),
          .at = now,
          .to = std::string(Field(fields, "To")),
          .from = std::string(Field(fields, "From")),
          .status_callback = std::string(Field(fields, "StatusCallback"))};
}

}  // namespace

std::string CallsApi::Resource(const Call& call, WallTime now) const {
  std::string json;
  AppendCallResource(json, call, state_.calls.SidOf(call), state_.directory,
                     state_.messages.timing(), now);
  return json;
}

ApiResponse CallsApi::OnCollection(const http::Request& request, size_t account,
                                   std::uint64_t in_flight, WallTime now) {
  if (request.method == "POST") return Create(request, account, in_flight, now);
  if (request.method == "GET") return ShowList(request, account, now);
  return ErrorResponse(kMethodNotAllowed);
}

ApiResponse CallsApi::Create(const http::Request& request, size_t account, std::uint64_t in_flight,
                             WallTime now) {
  const auto read = FormDecode(request.body, kMaxFormFields);
  const FormFields fields = read ? *read : FormFields{};
  const std::lock_guard lock(state_.mutex);
  Attempt attempt = NewAttempt(state_.call_attempt_log, fields, now);
  Fault fault = state_.faults.ForCreate(attempt.number | kCallAttempt, request.reused);
  const size_t limit = state_.faults.Create().max_in_flight;
  if (limit != 0 && in_flight > limit) fault = {.kind = FaultKind::kTooMany};
  attempt.fault = fault.kind;
  ApiResponse response;
  if (fault.kind == FaultKind::kRefuse) attempt.code = fault.code;
  if (!PreventsCreation(fault.kind)) {
    CallDraft draft;
    draft.request_number = attempt.number;
    attempt.code =
        read ? CheckCreateCall(fields, account, state_.directory, state_.queues, now, draft)
             : kInvalidParameters;
    if (attempt.code == kNoError) {
      const Call& call = engine_.Place(draft, now);
      attempt.message = call.number;
      response = JsonResponse(201, Resource(call, now));
    } else {
      response = ErrorResponse(attempt.code);
    }
  }
  state_.call_attempt_log.Add(std::move(attempt));
  return ApplyFault(std::move(response), fault, state_.faults.Create());
}

void CallsApi::LogUnauthenticated(const http::Request& request, WallTime now) {
  const auto fields = FormDecode(request.body, kMaxFormFields);
  const std::lock_guard lock(state_.mutex);
  Attempt attempt = NewAttempt(state_.call_attempt_log, fields ? *fields : FormFields{}, now);
  attempt.code = kBadCredentials;
  state_.call_attempt_log.Add(std::move(attempt));
}

ApiResponse CallsApi::ShowList(const http::Request& request, size_t account, WallTime now) {
  const auto parameters = FormDecode(request.Query(), kMaxFormFields);
  const auto query = parameters ? ParseCallQuery(*parameters) : std::nullopt;
  if (!query) return ErrorResponse(kInvalidParameters);
  const std::lock_guard lock(state_.mutex);
  const WallTime until = now - state_.faults.ListLag();
  const Calls& calls = state_.calls;
  const ListPage page = PageOf(
      calls.Store(), query->to, *query, PositionOf(*query, calls.Random()),
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
  return JsonResponse(200, std::move(json));
}

// Updates the call. Returns kNoError or the error code.
int CallsApi::Update(Call& call, const FormFields& fields, WallTime now) {
  const std::string_view status = Field(fields, "Status");
  if (status == "canceled") return engine_.Cancel(call, now) ? kNoError : kWrongState;
  if (status == "completed") return engine_.Complete(call, now) ? kNoError : kWrongState;
  if (!status.empty()) return kInvalidParameters;
  CallDraft script;
  if (const int code = CheckRedirect(fields, script)) return code;
  if (script.script.url.empty() && script.twiml.empty()) return kNoError;
  return engine_.Redirect(call, script, now) ? kNoError : kWrongState;
}

ApiResponse CallsApi::OnItem(const http::Request& request, size_t account, const std::string& sid,
                             WallTime now) {
  const std::string& method = request.method;
  if (method != "GET" && method != "POST" && method != "DELETE") {
    return ErrorResponse(kMethodNotAllowed);
  }
  const auto fields = FormDecode(request.body, kMaxFormFields);
  const std::lock_guard lock(state_.mutex);
  Call* const call = state_.calls.FindBySid(sid);
  if (call == nullptr || call->request.account != account) return ErrorResponse(kNotFound);
  if (method == "DELETE") {
    if (!call->Final()) return ErrorResponse(kNotFinished);
    call->deleted = true;
    return NoContentResponse();
  }
  if (method == "POST") {
    const int code = fields ? Update(*call, *fields, now) : kInvalidParameters;
    if (code != kNoError) return ErrorResponse(code);
  }
  return JsonResponse(200, Resource(*call, now));
}

}  // namespace tocsin::sim
