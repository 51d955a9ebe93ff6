#include "tools/twilio-sim/messages/messages_api.h"

#include <utility>

#include "tools/twilio-sim/api/api_errors.h"
#include "tools/twilio-sim/api/fault_response.h"
#include "tools/twilio-sim/messages/message_list.h"
#include "tools/twilio-sim/messages/message_resource.h"

namespace tocsin::sim {

// The result of a create attempt.
struct MessagesApi::Creation {
  Fault fault;
  CreateFaults settings;
  int code = kNoError;
  std::string resource = {};  // JSON of the message; empty: not created
};

namespace {

constexpr size_t kTypicalResource = 1200;  // bytes of JSON

}  // namespace

ApiResponse MessagesApi::OnCollection(const http::Request& request, size_t account,
                                      std::uint64_t in_flight, WallTime now) {
  if (request.method == "POST") return Create(request, account, in_flight, now);
  if (request.method == "GET") return ShowList(request, account, now);
  return ErrorResponse(kMethodNotAllowed);
}

ApiResponse MessagesApi::OnItem(const http::Request& request, size_t account,
                                const std::string& sid, WallTime now) {
  const bool read = request.method == "GET";
  if (!read && request.method != "POST" && request.method != "DELETE") {
    return ErrorResponse(kMethodNotAllowed);
  }
  if (request.method == "POST") return Update(request, account, sid, now);
  if (request.method == "DELETE") return Remove(account, sid);
  const std::lock_guard lock(state_.mutex);
  const Message* const message = state_.messages.FindBySid(sid, account);
  if (message == nullptr) return ErrorResponse(kNotFound);
  std::string json;
  AppendResource(json, *message, sid, state_.directory, state_.messages.timing(), now);
  return JsonResponse(200, std::move(json));
}

// Under one lock: the fault, the checks against the state, and the creation.
MessagesApi::Creation MessagesApi::CreateAttempt(const CreateMessageRequest* wanted, size_t account,
                                                 std::uint64_t in_flight, bool reused,
                                                 WallTime now) {
  const std::lock_guard lock(state_.mutex);
  Attempt attempt{.number = state_.attempt_log.NextNumber(), .at = now};
  Creation creation{.fault = state_.faults.ForCreate(attempt.number, reused),
                    .settings = state_.faults.Create()};
  const size_t limit = creation.settings.max_in_flight;
  if (limit != 0 && in_flight > limit) creation.fault = {.kind = FaultKind::kTooMany};
  attempt.fault = creation.fault.kind;
  MessageDraft draft;
  if (!PreventsCreation(creation.fault.kind)) {
    creation.code = wanted == nullptr ? kInvalidParameters
                                      : CheckCreateMessage(*wanted, account, state_.directory,
                                                           state_.queues, now, draft);
    if (creation.code == kNoError) {
      draft.request_number = attempt.number;
      const auto nearest = state_.NextDue();
      const Outcome outcome = draft.outcome ? *draft.outcome : state_.outcomes.Next(draft.to);
      const Message& message = state_.messages.Create(draft, outcome, state_.queues, now);
      attempt.message = message.number;
      creation.resource.reserve(kTypicalResource);
      AppendResource(creation.resource, message, state_.messages.SidOf(message), state_.directory,
                     state_.messages.timing(), now);
      if (!nearest || *state_.messages.NextDue() < *nearest) state_.earlier_step.notify_one();
    }
  }
  attempt.code = creation.fault.kind == FaultKind::kRefuse ? creation.fault.code : creation.code;
  if (attempt.message == 0 && wanted != nullptr) {
    attempt.to = wanted->to;
    attempt.from = wanted->from;
    attempt.status_callback = wanted->status_callback;
  }
  state_.attempt_log.Add(std::move(attempt));
  return creation;
}

ApiResponse MessagesApi::Create(const http::Request& request, size_t account,
                                std::uint64_t in_flight, WallTime now) {
  const auto fields = FormDecode(request.body, kMaxFormFields);
  std::optional<CreateMessageRequest> wanted;
  if (fields) wanted = ParseCreateMessage(*fields);
  Creation creation =
      CreateAttempt(wanted ? &*wanted : nullptr, account, in_flight, request.reused, now);
  ApiResponse response = creation.resource.empty()
                             ? ErrorResponse(creation.code)
                             : JsonResponse(201, std::move(creation.resource));
  return ApplyFault(std::move(response), creation.fault, creation.settings);
}

void MessagesApi::LogUnauthenticated(const http::Request& request, WallTime now) {
  const auto fields = FormDecode(request.body, kMaxFormFields);
  const CreateMessageRequest wanted = fields ? ParseCreateMessage(*fields) : CreateMessageRequest{};
  const std::lock_guard lock(state_.mutex);
  state_.attempt_log.Add({.number = state_.attempt_log.NextNumber(),
                          .at = now,
                          .code = kBadCredentials,
                          .to = wanted.to,
                          .from = wanted.from,
                          .status_callback = wanted.status_callback});
}

ApiResponse MessagesApi::ShowList(const http::Request& request, size_t account, WallTime now) {
  const auto parameters = FormDecode(request.Query(), kMaxFormFields);
  const auto query = parameters ? ParseListQuery(*parameters) : std::nullopt;
  if (!query) return ErrorResponse(kInvalidParameters);
  const std::lock_guard lock(state_.mutex);
  const ListPage page = List(state_.messages, account, *query, now - state_.faults.ListLag());
  std::string json = "{\"messages\":[";
  for (const std::uint64_t number : page.numbers) {
    if (json.back() != '[') json += ',';
    const Message& message = *state_.messages.Find(number);
    AppendResource(json, message, state_.messages.SidOf(message), state_.directory,
                   state_.messages.timing(), now);
  }
  json += "],";
  json += PageMembers(std::string(request.Path()), *query, page, [&](std::uint64_t number) {
    return state_.messages.SidOf(*state_.messages.Find(number));
  });
  json += '}';
  return JsonResponse(200, std::move(json));
}

ApiResponse MessagesApi::Update(const http::Request& request, size_t account,
                                const std::string& sid, WallTime now) {
  const auto fields = FormDecode(request.body, kMaxFormFields);
  if (!fields) return ErrorResponse(kInvalidParameters);
  const std::lock_guard lock(state_.mutex);
  const Message* const message = state_.messages.FindBySid(sid, account);
  if (message == nullptr) return ErrorResponse(kNotFound);
  for (const auto& [name, value] : *fields) {
    if (name == "Body" && !value.empty()) {
      return ErrorResponse(kInvalidParameters, "Body can only be set to an empty string");
    }
    if (name == "Body") state_.messages.Redact(message->number, now);
    if (name != "Status") continue;
    if (value != "canceled")
      return ErrorResponse(kInvalidParameters, "Status can only be canceled");
    if (!state_.messages.Cancel(message->number, now)) return ErrorResponse(30409);
    state_.earlier_step.notify_one();
  }
  std::string json;
  AppendResource(json, *message, sid, state_.directory, state_.messages.timing(), now);
  return JsonResponse(200, std::move(json));
}

ApiResponse MessagesApi::Remove(size_t account, const std::string& sid) {
  const std::lock_guard lock(state_.mutex);
  const Message* const message = state_.messages.FindBySid(sid, account);
  if (message == nullptr) return ErrorResponse(kNotFound);
  if (!message->Final()) return ErrorResponse(kNotFinished);
  state_.messages.Delete(message->number);
  return NoContentResponse();
}

}  // namespace tocsin::sim
