#include "tools/twilio-sim/control/control_api.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/encoding.h"
#include "common/domain/message/segments.h"
#include "tools/twilio-sim/control/records.h"
#include "tools/twilio-sim/formats.h"
#include "tools/twilio-sim/json_reader.h"
#include "tools/twilio-sim/json_writer.h"
#include "tools/twilio-sim/messages/opt_out.h"
#include "tools/twilio-sim/sids.h"
#include "tools/twilio-sim/ui/page.h"
#include "tools/twilio-sim/voice/phone_control.h"

namespace tocsin::sim {
namespace {

constexpr std::string_view kPathPrefix = "/sim/";
constexpr size_t kMaxQueryParameters = 8;
constexpr std::int64_t kMaxCallSecondMs = 60'000;

// The parameter, `otherwise` if it is absent. Fails if it is not a decimal number.
Result<std::uint64_t> NumberParameter(const FormFields& fields, const std::string& name,
                                      std::uint64_t otherwise) {
  for (const auto& [key, text] : fields) {
    if (key != name) continue;
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size()) return value;
    return Fail(ErrorCode::kInvalidArgument,
                name + " must be a number from 0 to 18446744073709551615", name);
  }
  return otherwise;
}

std::optional<RecordKind> RecordKindNamed(std::string_view name) {
  if (name == "messages") return RecordKind::kMessages;
  if (name == "requests") return RecordKind::kRequests;
  if (name == "calls") return RecordKind::kCalls;
  if (name == "call-requests") return RecordKind::kCallRequests;
  return std::nullopt;
}

bool IsLoopback(std::string_view address) {
  return address.starts_with("127.") || address == "::1" || address.starts_with("::ffff:127.");
}

// Refuses requests of other sites in a browser on this machine: cross-origin requests (Origin) and
// DNS names that resolve to loopback (Host).
bool IsSameOrigin(const http::Request& request) {
  const auto host = request.Find("Host");
  if (!host) return true;
  const auto url = ParseCallbackUrl("http://" + std::string(*host));
  if (!url || !url->IsLoopback()) return false;
  const auto origin = request.Find("Origin");
  return !origin || *origin == "http://" + std::string(*host);
}

ApiResponse ControlError(int status, const std::string& message) {
  return JsonResponse(status, nlohmann::json{{"error", message}}.dump(
                                  -1, ' ', false, nlohmann::json::error_handler_t::replace));
}

Result<Outcome> ReadOutcome(const nlohmann::json& json, const std::string& where) {
  JsonReader reader(json, where);
  Outcome outcome;
  if (const auto name = reader.Text("status")) {
    const auto status = StatusNamed(*name);
    const bool last = status == Status::kDelivered || status == Status::kUndelivered ||
                      status == Status::kFailed || status == Status::kSent;
    if (!last) reader.AddError("status", "must be delivered, undelivered, failed or sent");
    outcome.last = status.value_or(Status::kDelivered);
  }
  outcome.error_code = static_cast<int>(reader.Integer("code", 10'000, 99'999).value_or(0));
  outcome.queue = reader.Milliseconds("queue_ms");
  outcome.delivery = reader.Milliseconds("delivery_ms");
  TOCSIN_CHECK_OK(reader.Finish());
  return outcome;
}

// By To number: one outcome, or several that are used in order.
Result<std::vector<std::pair<std::string, std::vector<Outcome>>>> ReadOutcomes(
    const nlohmann::json& json) {
  std::vector<std::pair<std::string, std::vector<Outcome>>> scripts;
  if (!json.is_object()) return Fail(ErrorCode::kInvalidArgument, "outcomes must be an object");
  for (const auto& [to, script] : json.items()) {
    const std::string where = "outcomes." + to;
    std::vector<Outcome> outcomes;
    const nlohmann::json list = script.is_array() ? script : nlohmann::json::array({script});
    for (const nlohmann::json& item : list) {
      TOCSIN_TRY(const Outcome outcome, ReadOutcome(item, where));
      outcomes.push_back(outcome);
    }
    if (outcomes.empty()) return Fail(ErrorCode::kInvalidArgument, where + " is empty");
    scripts.emplace_back(to, std::move(outcomes));
  }
  return scripts;
}

Result<std::vector<std::pair<std::string, SenderLimit>>> ReadSenders(const nlohmann::json& json) {
  std::vector<std::pair<std::string, SenderLimit>> senders;
  if (!json.is_object()) return Fail(ErrorCode::kInvalidArgument, "senders must be an object");
  for (const auto& [sender, limits] : json.items()) {
    JsonReader reader(limits, "senders." + sender);
    SenderLimit limit;
    limit.segments_per_second =
        reader.Number("segments_per_second", 0.001, 1e6).value_or(limit.segments_per_second);
    limit.queue_segments = reader.Number("queue_segments", 0, 1e9).value_or(limit.queue_segments);
    TOCSIN_CHECK_OK(reader.Finish());
    senders.emplace_back(sender, limit);
  }
  return senders;
}

std::string InboundJson(const std::string& sid, const WebhookResponse& response,
                        std::string_view auto_reply) {
  std::string json;
  ObjectWriter writer(json);
  writer.Text("sid", sid);
  writer.NumberOrNull("status", response.status);
  writer.TextOrNull("content_type", ScrubUtf8(response.content_type));
  writer.Text("response", ScrubUtf8(response.body));
  writer.Number("attempts", response.attempts);
  writer.TextOrNull("twilio_answer", auto_reply);
  writer.Close();
  return json;
}

}  // namespace

void ControlApi::Handle(const http::Request& request, const Respond& respond, WallTime now) {
  if (!IsLoopback(request.peer_address))
    return respond(ControlError(403, "only for clients on loopback"));
  if (!IsSameOrigin(request)) return respond(ControlError(403, "only for pages of this simulator"));
  if (request.method == "GET") return respond(Get(request));
  if (request.method != "POST") return respond(ControlError(405, "method must be GET or POST"));
  const std::string_view text = request.body.empty() ? std::string_view("{}") : request.body;
  const nlohmann::json body = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (body.is_discarded()) return respond(ControlError(400, "the body is not JSON"));
  if (request.Path() == "/sim/inbound") return Inbound(body, respond, now);
  respond(Post(std::string(request.Path().substr(kPathPrefix.size())), body, now));
}

ApiResponse ControlApi::Get(const http::Request& request) {
  const std::string_view path = request.Path();
  if (path == "/sim/health") return JsonResponse(200, Health());
  if (auto page = PageResponse(path)) return *std::move(page);
  const auto kind = RecordKindNamed(path.substr(kPathPrefix.size()));
  if (!kind) return ControlError(404, "not found");
  const auto query = FormDecode(request.Query(), kMaxQueryParameters);
  if (!query) return ControlError(400, "the query cannot be decoded");
  const auto after = NumberParameter(*query, "after", 0);
  if (!after) return ControlError(400, after.error().message);
  const auto limit = NumberParameter(*query, "limit", kDefaultRecordLimit);
  if (!limit) return ControlError(400, limit.error().message);
  RecordBatch batch =
      ReadRecords(state_, *kind, *after, std::min<std::uint64_t>(*limit, kMaxRecordLimit));
  return {.http_response = {.status = 200,
                            .content_type = "application/x-ndjson",
                            .body = std::move(batch.lines),
                            .headers = {{"Sim-Dropped", std::to_string(batch.dropped)}}}};
}

ApiResponse ControlApi::Post(const std::string& command, const nlohmann::json& body, WallTime now) {
  Result<void> done;
  if (command == "services" || command == "numbers") {
    done = AddSenders(command == "services", body);
  } else if (command == "faults") {
    done = SetFaults(body);
  } else if (command == "timing") {
    done = SetTiming(body);
  } else if (command == "reset") {
    done = Reset(body);
  } else if (command == "phones") {
    done = SetPhones(state_, body);
  } else if (command == "answer" || command == "press" || command == "hang-up") {
    done = PerformPhoneAction(state_, engine_, command, body, now);
  } else {
    return ControlError(404, "not found");
  }
  return done ? JsonResponse(200, "{}") : ControlError(400, done.error().message);
}

Result<void> ControlApi::SetFaults(const nlohmann::json& body) {
  if (!body.is_object()) return Fail(ErrorCode::kInvalidArgument, "the body must be an object");
  nlohmann::json faults = body;
  const nlohmann::json none = nlohmann::json::object();
  TOCSIN_TRY(const auto outcomes, ReadOutcomes(body.value("outcomes", none)));
  TOCSIN_TRY(const auto senders, ReadSenders(body.value("senders", none)));
  faults.erase("outcomes");
  faults.erase("senders");
  const std::string limits = body.value("limits", "");
  if (!limits.empty() && limits != "none" && limits != "twilio") {
    return Fail(ErrorCode::kInvalidArgument, "limits must be none or twilio", "limits");
  }
  faults.erase("limits");
  const std::lock_guard lock(state_.mutex);
  TOCSIN_CHECK_OK(state_.faults.Apply(faults));
  for (const auto& [to, script] : outcomes) state_.outcomes.SetScript(to, script);
  for (const auto& [sender, limit] : senders) state_.queues.Limit(sender, limit);
  if (!limits.empty()) state_.queues.UseTwilioLimits(limits == "twilio");
  return {};
}

Result<size_t> ControlApi::AccountNamed(const std::optional<std::string>& sid) const {
  if (!sid) return 0;
  const auto account = state_.directory.AccountOf(*sid);
  if (!account) return Fail(ErrorCode::kInvalidArgument, "account is unknown", "account");
  return *account;
}

Result<void> ControlApi::AddSenders(bool service, const nlohmann::json& body) {
  JsonReader reader(body, "");
  TOCSIN_TRY(const size_t account, AccountNamed(reader.Text("account")));
  MessagingService added{.account = account};
  if (service) added.sid = reader.Text("sid").value_or("");
  if (service) added.advanced_opt_out = reader.Boolean("advanced_opt_out").value_or(false);
  const auto sms_url = reader.Text("sms_url");
  if (sms_url && !ParseCallbackUrl(*sms_url)) reader.AddError("sms_url", "must be a URL");
  if (service && !IsSid(added.sid, "MG")) reader.AddError("sid", "must be MG and 32 hex digits");
  if (const auto* numbers = reader.Value("numbers"); numbers != nullptr && numbers->is_array()) {
    for (const auto& number : *numbers) {
      if (number.is_string()) added.pool.push_back(number.get<std::string>());
    }
  } else {
    reader.AddError("numbers", "must be an array of senders");
  }
  TOCSIN_CHECK_OK(reader.Finish());
  const std::lock_guard lock(state_.mutex);
  for (const std::string& number : added.pool) {
    state_.directory.AddSender(number, account);
    if (sms_url) state_.directory.SetSmsUrl(number, *sms_url);
  }
  if (service) state_.directory.AddService(std::move(added));
  return {};
}

Result<void> ControlApi::SetTiming(const nlohmann::json& body) {
  JsonReader reader(body, "");
  const auto call_second = reader.Integer("call_second_ms", 1, kMaxCallSecondMs);
  if (!call_second) reader.AddError("call_second_ms", "is required");
  TOCSIN_CHECK_OK(reader.Finish());
  const std::lock_guard lock(state_.mutex);
  state_.messages.SetCallSecond(std::chrono::milliseconds(*call_second));
  return {};
}

Result<void> ControlApi::Reset(const nlohmann::json& body) {
  JsonReader reader(body, "");
  const auto seed = reader.Integer("seed", 0, INT64_MAX);
  const bool faults_only = reader.Boolean("faults_only").value_or(false);
  if (seed && faults_only) reader.AddError("seed", "cannot be combined with faults_only");
  TOCSIN_CHECK_OK(reader.Finish());
  if (!faults_only) webhook_sender_.DiscardAll();
  const std::lock_guard lock(state_.mutex);
  const std::uint64_t next_seed =
      seed ? static_cast<std::uint64_t>(*seed) : state_.messages.Random().Seed();
  state_.faults.Clear(next_seed);
  state_.outcomes.Clear();
  state_.queues.Clear();
  state_.phones.Clear();
  if (faults_only) return {};
  state_.messages.SetCallSecond(state_.default_call_second);
  state_.directory.ClearBlocks();
  state_.messages.Clear(seed ? std::optional(next_seed) : std::nullopt);
  state_.attempt_log.Clear(seed.has_value());
  state_.calls.Clear(seed ? std::optional(next_seed) : std::nullopt);
  state_.call_attempt_log.Clear(seed.has_value());
  return {};
}

void ControlApi::Inbound(const nlohmann::json& body, const Respond& respond, WallTime now) {
  JsonReader reader(body, "");
  const auto account = AccountNamed(reader.Text("account"));
  const auto opt_out_type = reader.Text("opt_out_type");
  const std::string service = reader.Text("messaging_service_sid").value_or("");
  const auto url_parameter = reader.Text("url");
  MessageDraft draft{.to = reader.Text("to").value_or(""),
                     .from = reader.Text("from").value_or(""),
                     .body = reader.Text("body").value_or("")};
  if (url_parameter && !ParseCallbackUrl(*url_parameter)) reader.AddError("url", "must be a URL");
  if (!IsE164(draft.from)) reader.AddError("from", "must be a phone number in E.164 form");
  if (draft.to.empty()) reader.AddError("to", "is required");
  if (!account) reader.AddError("account", "is unknown");
  if (const auto read = reader.Finish(); !read)
    return respond(ControlError(400, read.error().message));
  draft.account = *account;
  draft.segments = std::max(CountSegments(draft.body).segments, 1U);

  std::unique_lock lock(state_.mutex);
  Directory& directory = state_.directory;
  const std::string url = url_parameter ? *url_parameter : directory.SmsUrlOf(draft.to);
  if (url.empty()) return respond(ControlError(400, "url is required: the sender has no sms_url"));
  draft.service = service.empty() ? directory.ServiceWith(draft.to, *account)
                                  : directory.ServiceOf(service, *account);
  if (!service.empty() && !draft.service) {
    return respond(ControlError(400, "messaging_service_sid is unknown"));
  }
  const OptOutKeyword word = KeywordOf(draft.body, draft.to);
  if (word == OptOutKeyword::kStop) directory.Block(draft.from, draft.to);
  if (word == OptOutKeyword::kStart) directory.Unblock(draft.from, draft.to);
  const bool advanced = draft.service && directory.Service(*draft.service).advanced_opt_out;
  const std::string type = opt_out_type.value_or(std::string(advanced ? OptOutTypeOf(word) : ""));
  const Message& message = state_.messages.Receive(draft, AutoReplyTo(word), now);
  const std::string sid = state_.messages.SidOf(message);
  const bool posted = webhooks_.PostInbound(
      message, url, type, [respond, sid, word](const WebhookResponse& webhook) {
        respond(JsonResponse(200, InboundJson(sid, webhook, AutoReplyTo(word))));
      });
  lock.unlock();
  if (!posted) respond(ControlError(400, "url is not on loopback"));
}

std::string ControlApi::Health() {
  const SenderCounts callbacks = webhook_sender_.Counts();
  const WebhookCounts webhooks = webhooks_.Counts();
  const auto number = [](std::uint64_t value) { return static_cast<std::int64_t>(value); };
  std::string json;
  ObjectWriter writer(json);
  writer.Text("status", "ok");
  const std::lock_guard lock(state_.mutex);
  writer.Number("seed", number(state_.messages.Random().Seed()));
  writer.Number("call_second_ms", state_.messages.timing().call_second.count());
  writer.Number("default_call_second_ms", state_.default_call_second.count());
  writer.Number("requests", number(state_.attempt_log.Total()));
  writer.Number("messages", number(state_.messages.Store().Last()));
  writer.Number("messages_dropped", number(state_.messages.Store().Dropped()));
  writer.Number("requests_dropped", number(state_.attempt_log.Dropped()));
  writer.Number("calls", number(state_.calls.Store().Last()));
  writer.Number("calls_dropped", number(state_.calls.Store().Dropped()));
  writer.Number("call_requests", number(state_.call_attempt_log.Total()));
  writer.Number("one_shot_faults", number(state_.faults.OneShots()));
  writer.Number("callbacks_posted", number(callbacks.posted));
  writer.Number("callback_attempts", number(callbacks.attempts));
  writer.Number("callbacks_acknowledged", number(callbacks.acknowledged));
  writer.Number("callbacks_failed", number(callbacks.failed));
  writer.Number("callbacks_dropped", number(callbacks.dropped));
  writer.Number("callbacks_waiting", number(callbacks.waiting));
  writer.Number("callbacks_withheld", number(webhooks.withheld));
  writer.Number("callbacks_missing", number(webhooks.missing));
  writer.Close();
  return json;
}

}  // namespace tocsin::sim
