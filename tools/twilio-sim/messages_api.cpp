#include "tools/twilio-sim/messages_api.h"

#include <utility>

#include "tools/twilio-sim/api_errors.h"
#include "tools/twilio-sim/disturb.h"
#include "tools/twilio-sim/listing.h"
#include "tools/twilio-sim/resource.h"
#include "tools/twilio-sim/rest_api.h"

namespace tocsin::sim {

// What was decided about a create attempt, and the message as JSON.
struct MessagesApi::Verdict {
  Fault fault;
  CreateFaults settings;
  int code = kNoError;
  std::string resource = {};  // empty: nothing was accepted
};

namespace {

constexpr size_t kUsualResource = 1200;  // bytes of JSON

}  // namespace

Reply MessagesApi::OnCollection(const http::Request& request, size_t account,
                                std::uint64_t in_flight, WallTime now) {
  if (request.method == "POST") return Create(request, account, in_flight, now);
  if (request.method == "GET") return ShowList(request, account, now);
  return ErrorReply(kMethodNotAllowed);
}

Reply MessagesApi::OnItem(const http::Request& request, size_t account, const std::string& sid,
                          WallTime now) {
  const bool read = request.method == "GET";
  if (!read && request.method != "POST" && request.method != "DELETE") {
    return ErrorReply(kMethodNotAllowed);
  }
  if (request.method == "POST") return Update(request, account, sid, now);
  if (request.method == "DELETE") return Remove(account, sid);
  const std::lock_guard lock(state_.mutex);
  const Message* const message = state_.messages.Show(sid, account);
  if (message == nullptr) return ErrorReply(kNotFound);
  std::string json;
  AppendResource(json, *message, sid, state_.directory, state_.messages.Speed(), now);
  return JsonReply(200, std::move(json));
}

// Everything that has to be seen as one: the fault, the checks against the state, the message.
MessagesApi::Verdict MessagesApi::Decide(const CreateRequest* asked, size_t account,
                                         std::uint64_t in_flight, bool reused, WallTime now) {
  const std::lock_guard lock(state_.mutex);
  Attempt attempt{.number = state_.journal.NextNumber(), .at = now};
  Verdict verdict{.fault = state_.faults.ForCreate(attempt.number, reused),
                  .settings = state_.faults.Create()};
  const size_t limit = verdict.settings.max_in_flight;
  if (limit != 0 && in_flight > limit) verdict.fault = {.kind = FaultKind::kTooMany};
  attempt.fault = verdict.fault.kind;
  Draft draft;
  if (!AcceptsNothing(verdict.fault.kind)) {
    verdict.code = asked == nullptr
                       ? kUnreadableForm
                       : Judge(*asked, account, state_.directory, state_.queues, now, draft);
    if (verdict.code == kNoError) {
      draft.request_number = attempt.number;
      const auto nearest = state_.NextDue();
      const Outcome outcome = draft.outcome ? *draft.outcome : state_.outcomes.Next(draft.to);
      const Message& message = state_.messages.Create(draft, outcome, state_.queues, now);
      attempt.message = message.number;
      verdict.resource.reserve(kUsualResource);
      AppendResource(verdict.resource, message, state_.messages.SidOf(message), state_.directory,
                     state_.messages.Speed(), now);
      if (!nearest || *state_.messages.NextDue() < *nearest) state_.steps_ahead.notify_one();
    }
  }
  attempt.code = verdict.fault.kind == FaultKind::kRefuse ? verdict.fault.code : verdict.code;
  if (attempt.message == 0 && asked != nullptr) {
    attempt.to = asked->to;
    attempt.from = asked->from;
    attempt.status_callback = asked->status_callback;
  }
  state_.journal.Add(std::move(attempt));
  return verdict;
}

Reply MessagesApi::Create(const http::Request& request, size_t account, std::uint64_t in_flight,
                          WallTime now) {
  const auto fields = FormDecode(request.body, kMaxFormFields);
  std::optional<CreateRequest> asked;
  if (fields) asked = ReadCreateRequest(*fields);
  Verdict verdict = Decide(asked ? &*asked : nullptr, account, in_flight, request.reused, now);
  Reply plain = verdict.resource.empty() ? ErrorReply(verdict.code)
                                         : JsonReply(201, std::move(verdict.resource));
  return Disturb(std::move(plain), verdict.fault, verdict.settings);
}

void MessagesApi::NoteUnauthenticated(const http::Request& request, WallTime now) {
  const auto fields = FormDecode(request.body, kMaxFormFields);
  const CreateRequest asked = fields ? ReadCreateRequest(*fields) : CreateRequest{};
  const std::lock_guard lock(state_.mutex);
  state_.journal.Add({.number = state_.journal.NextNumber(),
                      .at = now,
                      .code = kBadCredentials,
                      .to = asked.to,
                      .from = asked.from,
                      .status_callback = asked.status_callback});
}

Reply MessagesApi::ShowList(const http::Request& request, size_t account, WallTime now) {
  const auto parameters = FormDecode(request.Query(), kMaxFormFields);
  const auto query = parameters ? ReadListQuery(*parameters) : std::nullopt;
  if (!query) return ErrorReply(kUnreadableForm);
  const std::lock_guard lock(state_.mutex);
  const ListPage page = List(state_.messages, account, *query, now - state_.faults.ListLag());
  std::string json = "{\"messages\":[";
  for (const std::uint64_t number : page.numbers) {
    if (json.back() != '[') json += ',';
    const Message& message = *state_.messages.Find(number);
    AppendResource(json, message, state_.messages.SidOf(message), state_.directory,
                   state_.messages.Speed(), now);
  }
  json += "],";
  json += PageMembers(std::string(request.Path()), *query, page, [&](std::uint64_t number) {
    return state_.messages.SidOf(*state_.messages.Find(number));
  });
  json += '}';
  return JsonReply(200, std::move(json));
}

Reply MessagesApi::Update(const http::Request& request, size_t account, const std::string& sid,
                          WallTime now) {
  const auto fields = FormDecode(request.body, kMaxFormFields);
  if (!fields) return ErrorReply(kUnreadableForm);
  const std::lock_guard lock(state_.mutex);
  const Message* const message = state_.messages.Show(sid, account);
  if (message == nullptr) return ErrorReply(kNotFound);
  for (const auto& [name, value] : *fields) {
    if (name == "Body" && !value.empty()) {
      return ErrorReply(kUnreadableForm, "Body can only be set to the empty text");
    }
    if (name == "Body") state_.messages.Redact(message->number, now);
    if (name != "Status") continue;
    if (value != "canceled") return ErrorReply(kUnreadableForm, "Status can only be canceled");
    if (!state_.messages.Cancel(message->number, now)) return ErrorReply(30409);
    state_.steps_ahead.notify_one();
  }
  std::string json;
  AppendResource(json, *message, sid, state_.directory, state_.messages.Speed(), now);
  return JsonReply(200, std::move(json));
}

Reply MessagesApi::Remove(size_t account, const std::string& sid) {
  const std::lock_guard lock(state_.mutex);
  const Message* const message = state_.messages.Show(sid, account);
  if (message == nullptr) return ErrorReply(kNotFound);
  if (!message->Final()) return ErrorReply(kNotFinished);
  state_.messages.Delete(message->number);
  return {.response = {.status = 204, .content_type = {}, .body = {}}};
}

}  // namespace tocsin::sim
