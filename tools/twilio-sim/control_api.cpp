#include "tools/twilio-sim/control_api.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/encoding.h"
#include "common/domain/segments.h"
#include "tools/twilio-sim/books.h"
#include "tools/twilio-sim/json.h"
#include "tools/twilio-sim/json_reader.h"
#include "tools/twilio-sim/opt_out.h"
#include "tools/twilio-sim/page.h"
#include "tools/twilio-sim/rest_api.h"
#include "tools/twilio-sim/sids.h"
#include "tools/twilio-sim/voice/phone_control.h"

namespace tocsin::sim {
namespace {

std::uint64_t NumberIn(const FormFields& fields, std::string_view name, std::uint64_t otherwise) {
  for (const auto& [key, text] : fields) {
    std::uint64_t value = 0;
    if (key == name &&
        std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc()) {
      return value;
    }
  }
  return otherwise;
}

std::optional<Book> BookNamed(std::string_view name) {
  if (name == "messages") return Book::kMessages;
  if (name == "requests") return Book::kRequests;
  if (name == "calls") return Book::kCalls;
  if (name == "call-requests") return Book::kCallRequests;
  return std::nullopt;
}

bool IsLoopback(std::string_view address) {
  return address.starts_with("127.") || address == "::1" || address.starts_with("::ffff:127.");
}

// A page of another site that a browser on this machine shows has no business here: neither its
// scripts (Origin) nor a name of its own that leads to loopback (Host).
bool IsOwnPage(const http::Request& request) {
  const auto host = request.Find("Host");
  if (!host) return true;
  const auto url = ParseCallbackUrl("http://" + std::string(*host));
  if (!url || !url->IsLoopback()) return false;
  const auto origin = request.Find("Origin");
  return !origin || *origin == "http://" + std::string(*host);
}

Reply Refusal(int status, const std::string& message) {
  return JsonReply(status, nlohmann::json{{"error", message}}.dump(
                               -1, ' ', false, nlohmann::json::error_handler_t::replace));
}

Result<Outcome> ReadOutcome(const nlohmann::json& json, const std::string& where) {
  JsonReader reader(json, where);
  Outcome outcome;
  if (const auto name = reader.Text("status")) {
    const auto status = StatusNamed(*name);
    const bool last = status == Status::kDelivered || status == Status::kUndelivered ||
                      status == Status::kFailed || status == Status::kSent;
    if (!last) reader.Complain("status", "must be delivered, undelivered, failed or sent");
    outcome.last = status.value_or(Status::kDelivered);
  }
  outcome.error_code = static_cast<int>(reader.Integer("code", 10'000, 99'999).value_or(0));
  outcome.queue = reader.Milliseconds("queue_ms");
  outcome.delivery = reader.Milliseconds("delivery_ms");
  TOCSIN_CHECK_OK(reader.Conclude());
  return outcome;
}

// To number -> one outcome, or several that are taken in turn.
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
    TOCSIN_CHECK_OK(reader.Conclude());
    senders.emplace_back(sender, limit);
  }
  return senders;
}

std::string InboundAnswer(const std::string& sid, const WebhookAnswer& answer,
                          std::string_view twilios) {
  std::string json;
  ObjectWriter writer(json);
  writer.Text("sid", sid);
  writer.NumberOrNull("status", answer.status);
  writer.TextOrNull("content_type", ScrubUtf8(answer.content_type));
  writer.Text("response", ScrubUtf8(answer.body));
  writer.Number("tries", answer.tries);
  writer.TextOrNull("twilio_answer", twilios);
  writer.Close();
  return json;
}

}  // namespace

void ControlApi::Handle(const http::Request& request, const Answer& answer, WallTime now) {
  if (!IsLoopback(request.peer_address)) return answer(Refusal(403, "for loopback only"));
  if (!IsOwnPage(request)) return answer(Refusal(403, "for this machine's own pages only"));
  if (request.method == "GET") return answer(Get(request));
  if (request.method != "POST") return answer(Refusal(405, "GET or POST"));
  const std::string_view text = request.body.empty() ? std::string_view("{}") : request.body;
  const nlohmann::json body = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (body.is_discarded()) return answer(Refusal(400, "the body is not JSON"));
  if (request.Path() == "/sim/inbound") return Inbound(body, answer, now);
  answer(Post(std::string(request.Path().substr(std::string_view("/sim/").size())), body, now));
}

Reply ControlApi::Get(const http::Request& request) {
  const std::string_view path = request.Path();
  if (path == "/sim/health") return JsonReply(200, Health());
  if (auto page = PageReply(path)) return *std::move(page);
  const auto book = BookNamed(path.substr(std::string_view("/sim/").size()));
  if (!book) return Refusal(404, "no such page");
  const auto query = FormDecode(request.Query(), 8);
  const FormFields fields = query ? *query : FormFields{};
  BookPart part = ReadBook(
      state_, *book, NumberIn(fields, "after", 0),
      std::min<std::uint64_t>(NumberIn(fields, "limit", kDefaultBookLimit), kMaxBookLimit));
  return {.response = {.status = 200,
                       .content_type = "application/x-ndjson",
                       .body = std::move(part.lines),
                       .headers = {{"Sim-Dropped", std::to_string(part.dropped)}}}};
}

Reply ControlApi::Post(const std::string& page, const nlohmann::json& body, WallTime now) {
  Result<void> done;
  if (page == "services" || page == "numbers") {
    done = AddSenders(page == "services", body);
  } else if (page == "faults") {
    done = SetFaults(body);
  } else if (page == "reset") {
    done = Reset(body);
  } else if (page == "phones") {
    done = SetPhones(state_, body);
  } else if (page == "answer" || page == "press" || page == "hang-up") {
    done = ActByHand(state_, exchange_, page, body, now);
  } else {
    return Refusal(404, "no such page");
  }
  return done ? JsonReply(200, "{}") : Refusal(400, done.error().message);
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
  for (const auto& [to, script] : outcomes) state_.outcomes.Script(to, script);
  for (const auto& [sender, limit] : senders) state_.queues.Limit(sender, limit);
  if (!limits.empty()) state_.queues.UseTwilios(limits == "twilio");
  return {};
}

Result<size_t> ControlApi::AccountNamed(const std::optional<std::string>& sid) const {
  if (!sid) return 0;
  const auto account = state_.directory.AccountOf(*sid);
  if (!account) return Fail(ErrorCode::kInvalidArgument, "account is not known", "account");
  return *account;
}

Result<void> ControlApi::AddSenders(bool service, const nlohmann::json& body) {
  JsonReader reader(body, "");
  TOCSIN_TRY(const size_t account, AccountNamed(reader.Text("account")));
  MessagingService added{.account = account};
  if (service) added.sid = reader.Text("sid").value_or("");
  if (service) added.advanced_opt_out = reader.Boolean("advanced_opt_out").value_or(false);
  const auto sms_url = reader.Text("sms_url");
  if (sms_url && !ParseCallbackUrl(*sms_url)) reader.Complain("sms_url", "must be an address");
  if (service && !IsSid(added.sid, "MG")) reader.Complain("sid", "must be MG and 32 hex digits");
  if (const auto* numbers = reader.Value("numbers"); numbers != nullptr && numbers->is_array()) {
    for (const auto& number : *numbers) {
      if (number.is_string()) added.pool.push_back(number.get<std::string>());
    }
  } else {
    reader.Complain("numbers", "must be an array of senders");
  }
  TOCSIN_CHECK_OK(reader.Conclude());
  const std::lock_guard lock(state_.mutex);
  for (const std::string& number : added.pool) {
    state_.directory.OwnBy(number, account);
    if (sms_url) state_.directory.SetSmsUrl(number, *sms_url);
  }
  if (service) state_.directory.AddService(std::move(added));
  return {};
}

Result<void> ControlApi::Reset(const nlohmann::json& body) {
  JsonReader reader(body, "");
  const auto seed = reader.Integer("seed", 0, INT64_MAX);
  const bool faults_only = reader.Boolean("faults_only").value_or(false);
  if (seed && faults_only) reader.Complain("seed", "starts the whole run over");
  TOCSIN_CHECK_OK(reader.Conclude());
  if (!faults_only) callbacks_.Forget();
  const std::lock_guard lock(state_.mutex);
  const std::uint64_t next_seed =
      seed ? static_cast<std::uint64_t>(*seed) : state_.messages.Randomness().Seed();
  state_.faults.Clear(next_seed);
  state_.outcomes.Clear();
  state_.queues.Clear();
  state_.phones.Clear();
  if (faults_only) return {};
  state_.directory.ForgetBlocks();
  state_.messages.Clear(seed ? std::optional(next_seed) : std::nullopt);
  state_.journal.Clear(seed.has_value());
  state_.calls.Clear(seed ? std::optional(next_seed) : std::nullopt);
  state_.call_journal.Clear(seed.has_value());
  return {};
}

void ControlApi::Inbound(const nlohmann::json& body, const Answer& answer, WallTime now) {
  JsonReader reader(body, "");
  const auto account = AccountNamed(reader.Text("account"));
  const auto opt_out_type = reader.Text("opt_out_type");
  const std::string service = reader.Text("messaging_service_sid").value_or("");
  const auto asked_url = reader.Text("url");
  Draft draft{.to = reader.Text("to").value_or(""),
              .from = reader.Text("from").value_or(""),
              .body = reader.Text("body").value_or("")};
  if (asked_url && !ParseCallbackUrl(*asked_url)) reader.Complain("url", "must be an address");
  if (!IsE164(draft.from)) reader.Complain("from", "must be a number in E.164 form");
  if (draft.to.empty()) reader.Complain("to", "must name a sender of the account");
  if (!account) reader.Complain("account", "is not known");
  if (const auto read = reader.Conclude(); !read) return answer(Refusal(400, read.error().message));
  draft.account = *account;
  draft.segments = std::max(CountSegments(draft.body).segments, 1U);

  std::unique_lock lock(state_.mutex);
  Directory& directory = state_.directory;
  const std::string url = asked_url ? *asked_url : directory.SmsUrlOf(draft.to);
  if (url.empty()) return answer(Refusal(400, "url is missing, and the sender has none"));
  draft.service = service.empty() ? directory.ServiceWith(draft.to, *account)
                                  : directory.ServiceOf(service, *account);
  if (!service.empty() && !draft.service) {
    return answer(Refusal(400, "messaging_service_sid is not known"));
  }
  const OptWord word = OptWordOf(draft.body, draft.to);
  if (word == OptWord::kStop) directory.Block(draft.from, draft.to);
  if (word == OptWord::kStart) directory.Unblock(draft.from, draft.to);
  const bool advanced = draft.service && directory.Service(*draft.service).advanced_opt_out;
  const std::string type = opt_out_type.value_or(std::string(advanced ? OptOutTypeOf(word) : ""));
  const Message& message = state_.messages.Receive(draft, ReplyTo(word), now);
  const std::string sid = state_.messages.SidOf(message);
  const bool posted =
      webhooks_.Deliver(message, url, type, [answer, sid, word](const WebhookAnswer& webhook) {
        answer(JsonReply(200, InboundAnswer(sid, webhook, ReplyTo(word))));
      });
  lock.unlock();
  if (!posted) answer(Refusal(400, "url is not on loopback"));
}

std::string ControlApi::Health() {
  const CallbackCounts callbacks = callbacks_.Counts();
  const WebhookCounts webhooks = webhooks_.Counts();
  const auto number = [](std::uint64_t value) { return static_cast<std::int64_t>(value); };
  std::string json;
  ObjectWriter writer(json);
  writer.Text("status", "ok");
  const std::lock_guard lock(state_.mutex);
  writer.Number("seed", number(state_.messages.Randomness().Seed()));
  writer.Number("requests", number(state_.journal.Total()));
  writer.Number("messages", number(state_.messages.Kept().Last()));
  writer.Number("messages_dropped", number(state_.messages.Kept().Dropped()));
  writer.Number("requests_dropped", number(state_.journal.Dropped()));
  writer.Number("calls", number(state_.calls.Kept().Last()));
  writer.Number("calls_dropped", number(state_.calls.Kept().Dropped()));
  writer.Number("call_requests", number(state_.call_journal.Total()));
  writer.Number("one_shot_faults", number(state_.faults.OneShots()));
  writer.Number("callbacks_posted", number(callbacks.posted));
  writer.Number("callback_tries", number(callbacks.tries));
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
