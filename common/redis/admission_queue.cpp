#include "common/redis/admission_queue.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <iterator>
#include <map>
#include <type_traits>

namespace tocsin::redis {
namespace {

constexpr std::chrono::hours kLifeAfterHorizon{48};
// A stub that a late confirmation leaves behind when its alert is gone already must not live for
// ever.
constexpr std::string_view kLifeOfStub =
    "777600000";  // 9 days, ms: the longest life of an alert's state

constexpr std::size_t kMarkHead = 5;  // what mark.lua answers before names and receipts

std::string LifeOf(WallTime not_after) {
  const auto end = std::chrono::ceil<std::chrono::milliseconds>(not_after + kLifeAfterHorizon);
  return std::to_string(end.time_since_epoch().count());
}

Admission NewAdmission(const AdmitRequest& request) {
  return {.state = Admission::State::kNew,
          .alert_id = request.alert_id,
          .accepted = request.accepted,
          .position = {}};
}

}  // namespace

AdmissionQueue::AdmissionQueue(Server& server, unsigned threads, std::size_t limit)
    : server_(server), limit_(limit) {
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

AdmissionQueue::~AdmissionQueue() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  waiting_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void AdmissionQueue::Admit(AdmitRequest request, std::function<void(Result<Admission>)> answer) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + server_.settings().command_limit;
  Entering entering{std::move(request), answer};
  if (Put({std::move(entering), deadline}, limit_)) return;
  answer(Fail(ErrorCode::kOverloaded, "too many alerts wait at the door"));
}

void AdmissionQueue::Confirm(const std::string& alert_id, const v1::Position& position,
                             std::function<void()> done) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + server_.settings().command_limit;
  Confirming confirming{alert_id, position, done};
  if (!Put({std::move(confirming), deadline}, 2 * limit_)) done();
}

void AdmissionQueue::Withdraw(const std::string& alert_id, const std::string& idempotency_digest,
                              const std::string& nonce) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + server_.settings().command_limit;
  Put({Withdrawing{alert_id, idempotency_digest, nonce}, deadline}, 2 * limit_);
}

void AdmissionQueue::Mark(MarkRequest request, std::function<void(Result<Marked>)> answer) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + server_.settings().command_limit;
  Marking marking{std::move(request), answer};
  if (Put({std::move(marking), deadline}, limit_)) return;
  answer(Fail(ErrorCode::kOverloaded, "too many alerts wait at the door"));
}

std::size_t AdmissionQueue::Waiting() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

bool AdmissionQueue::Put(Request request, std::size_t limit) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || queue_.size() >= limit) return false;
    queue_.push_back(std::move(request));
  }
  waiting_.notify_one();
  return true;
}

// Empty when the queue is stopped and all is served.
AdmissionQueue::Batch AdmissionQueue::TakeBatch() {
  std::unique_lock lock(mutex_);
  waiting_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  const auto count = static_cast<std::ptrdiff_t>(std::min(queue_.size(), kAdmissionBatchLimit));
  Batch batch(std::make_move_iterator(queue_.begin()),
              std::make_move_iterator(queue_.begin() + count));
  queue_.erase(queue_.begin(), queue_.begin() + count);
  return batch;
}

void AdmissionQueue::Work() {
  std::optional<Connection> connection;
  for (Batch batch = TakeBatch(); !batch.empty(); batch = TakeBatch()) Serve(connection, batch);
}

void AdmissionQueue::Serve(std::optional<Connection>& connection, Batch& batch) {
  const auto refuse = [](Request& request, const Error& error) {
    if (auto* entering = std::get_if<Entering>(&request.what)) entering->answer(Fail(error));
    if (auto* marking = std::get_if<Marking>(&request.what)) marking->answer(Fail(error));
    if (auto* confirming = std::get_if<Confirming>(&request.what)) confirming->done();
  };
  // Requests come in the order of their deadlines. The oldest one's bounds the whole round, so one
  // that came in meanwhile is still served within its own. Sent with little time left, a request
  // would break the round's connection, and a crowd that is too large would then get no answers at
  // all instead of as many as can be: those with less than a quarter are refused.
  const SteadyTime soonest =
      std::chrono::steady_clock::now() + server_.settings().command_limit / 4;
  const auto in_time = std::find_if(batch.begin(), batch.end(), [&](const Request& request) {
    return request.deadline > soonest;
  });
  for (auto late = batch.begin(); late != in_time; ++late)
    refuse(*late, Unavailable("it did not come to this request within the time-out"));
  batch.erase(batch.begin(), in_time);
  if (batch.empty()) return;

  const SteadyTime deadline = batch.front().deadline;
  if (!connection || !connection->Sound()) {
    connection.reset();
    Result<Connection> opened = Open(deadline);
    if (!opened) {
      for (Request& request : batch) refuse(request, opened.error());
      return;
    }
    connection.emplace(*std::move(opened));
  }
  const std::shared_ptr<Memory::Held> held = server_.memory().Current();
  Result<std::vector<Answers>> answers = Ask(*connection, batch, *held, deadline);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (!answers)
      refuse(batch[i], answers.error());
    else if (auto* entering = std::get_if<Entering>(&batch[i].what))
      entering->answer(Decide(entering->request, (*answers)[i], *held));
    else if (auto* marking = std::get_if<Marking>(&batch[i].what))
      marking->answer(ReadMark(marking->request, (*answers)[i], *held));
    else if (auto* confirming = std::get_if<Confirming>(&batch[i].what))
      confirming->done();
  }
}

// With the scripts known to Redis: one that is asked for again by its text runs after those behind
// it.
Result<Connection> AdmissionQueue::Open(SteadyTime deadline) {
  TOCSIN_TRY(Connection connection, server_.Connect(deadline));
  for (const Script* script : {&AdmitScript(), &WithdrawScript(), &MarkScript()})
    connection.Append({"SCRIPT", "LOAD", script->text});
  TOCSIN_CHECK_OK(connection.Exchange(deadline));
  return connection;
}

// One round. Fails when the connection does, and when the epoch read at its end is not ours.
Result<std::vector<AdmissionQueue::Answers>> AdmissionQueue::Ask(Connection& connection,
                                                                 const Batch& batch,
                                                                 Memory::Held& held,
                                                                 SteadyTime deadline) {
  std::vector<std::size_t> counts;
  counts.reserve(batch.size());
  for (const Request& request : batch) counts.push_back(AppendRequest(connection, request, held));
  connection.Append({"GET", server_.keys().Epoch()});
  TOCSIN_TRY(std::vector<Reply> replies, connection.Exchange(deadline));
  if (replies.back().IsError()) return Fail(ErrorOf(replies.back()));
  if (replies.back().text != held.epoch) return Fail(server_.memory().Lost(held));

  std::vector<Answers> answers(batch.size());
  std::size_t next = 0;
  for (std::size_t i = 0; i < batch.size(); ++i)
    for (std::size_t j = 0; j < counts[i]; ++j) answers[i].replies[j] = std::move(replies[next++]);
  TOCSIN_CHECK_OK(AskByText(connection, batch, held, deadline, answers));
  return answers;
}

// Asks again, with their text, for the scripts that Redis did not know.
Status AdmissionQueue::AskByText(Connection& connection, const Batch& batch,
                                 const Memory::Held& held, SteadyTime deadline,
                                 std::vector<Answers>& answers) {
  std::vector<std::size_t> unknown;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (!IsNoScript(answers[i].replies[0])) continue;
    Append(connection, *ScriptOf(batch[i]), server_.keys(), held, CallForm::kByText);
    unknown.push_back(i);
  }
  if (unknown.empty()) return {};
  TOCSIN_TRY(std::vector<Reply> replies, connection.Exchange(deadline));
  for (std::size_t i = 0; i < unknown.size(); ++i)
    answers[unknown[i]].replies[0] = std::move(replies[i]);
  return {};
}

// Returns how many answers will come.
std::size_t AdmissionQueue::AppendRequest(Connection& connection, const Request& request,
                                          const Memory::Held& held) {
  if (const auto call = ScriptOf(request)) {
    Append(connection, *call, server_.keys(), held, CallForm::kBySha);
    return 1;
  }
  if (const auto* entering = std::get_if<Entering>(&request.what)) {
    const AdmitRequest& admit = entering->request;
    const std::string key = server_.keys().Alert(admit.alert_id);
    // No repetition will ask for it, so neither digest nor time is kept.
    connection.Append(
        {"HSET", key, "client", admit.client_id, "state", "admitting", "nonce", admit.nonce});
    connection.Append({"PEXPIREAT", key, LifeOf(admit.not_after)});
    return 2;
  }
  const Confirming& confirming = std::get<Confirming>(request.what);
  const std::string key = server_.keys().Alert(confirming.alert_id);
  connection.Append(
      {"HSET", key, "state", "accepted", "position", confirming.position.SerializeAsString()});
  connection.Append({"PEXPIRE", key, kLifeOfStub, "NX"});
  return 2;
}

std::optional<ScriptCall> AdmissionQueue::ScriptOf(const Request& request) const {
  const Keys& keys = server_.keys();
  if (const auto* entering = std::get_if<Entering>(&request.what)) {
    const AdmitRequest& admit = entering->request;
    if (admit.idempotency_digest.empty()) return std::nullopt;
    return ScriptCall{
        .script = AdmitScript(),
        .keys = {keys.Idempotency(admit.idempotency_digest), keys.Alert(admit.alert_id)},
        .args = {admit.alert_id, admit.client_id, admit.request_digest, admit.nonce,
                 std::to_string(ToUnixMicros(admit.accepted)), LifeOf(admit.not_after),
                 keys.AlertPrefix(), admit.only_if_known ? "1" : "0"}};
  }
  if (const auto* withdrawing = std::get_if<Withdrawing>(&request.what)) {
    ScriptCall call{.script = WithdrawScript(),
                    .keys = {keys.Alert(withdrawing->alert_id)},
                    .args = {withdrawing->alert_id, withdrawing->nonce}};
    if (!withdrawing->idempotency_digest.empty())
      call.keys.push_back(keys.Idempotency(withdrawing->idempotency_digest));
    return call;
  }
  if (const auto* marking = std::get_if<Marking>(&request.what)) {
    const MarkRequest& mark = marking->request;
    const bool cancelled = mark.mark == MarkRequest::Mark::kCancelled;
    return ScriptCall{.script = MarkScript(),
                      .keys = {keys.Alert(mark.alert_id)},
                      .args = {mark.client_id, cancelled ? "cancelled" : "acknowledged",
                               MarkText(mark.time, mark.by)}};
  }
  return std::nullopt;
}

Result<Marked> AdmissionQueue::ReadMark(const MarkRequest& request, Answers& answers,
                                        Memory::Held& held) {
  TOCSIN_TRY(const Reply reply, Judge(std::move(answers.replies[0]), server_.memory(), held));
  if (reply.Text(0) == "unknown")
    return Fail(ErrorCode::kNotFound, "there is no alert " + request.alert_id);
  Marked marked{.first = reply.Number(3) == 1, .posting = reply.Text(4) == "1"};
  const std::string_view said = reply.Text(2);
  const std::size_t gap = said.find(' ');
  std::int64_t time_us = 0;
  std::from_chars(said.data(), said.data() + std::min(gap, said.size()), time_us);
  marked.time = FromUnixMicros(time_us);
  if (gap != std::string_view::npos) marked.by = said.substr(gap + 1);
  std::map<std::pair<unsigned, unsigned>, v1::Receipt> receipts;  // by step and try
  for (std::size_t i = kMarkHead; i + 1 < reply.items.size(); i += 2) {
    const std::string_view name = reply.Text(i);
    const std::string_view bytes = reply.Text(i + 1);
    std::pair<unsigned, unsigned> number;
    const char* const dot = name.data() + std::min(name.find('.'), name.size());
    std::from_chars(name.data(), dot, number.first);
    if (dot < name.data() + name.size())
      std::from_chars(dot + 1, name.data() + name.size(), number.second);
    if (!receipts[number].ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
      return Fail(ErrorCode::kCorrupt, "a receipt of " + request.alert_id + " cannot be read");
  }
  for (auto& [number, receipt] : receipts) marked.receipts.push_back(std::move(receipt));
  return marked;
}

Result<Admission> AdmissionQueue::Decide(const AdmitRequest& request, Answers& answers,
                                         Memory::Held& held) {
  using State = Admission::State;
  if (request.idempotency_digest.empty()) {
    for (const Reply& reply : answers.replies)
      if (reply.IsError()) return Fail(ErrorOf(reply));
    return NewAdmission(request);
  }
  TOCSIN_TRY(const Reply reply, Judge(std::move(answers.replies[0]), server_.memory(), held));
  Admission admission = NewAdmission(request);
  const std::string_view word = reply.Text(0);
  if (word == "new") return admission;
  if (word == "unknown") {
    admission.state = State::kUnknown;
    return admission;
  }
  admission.alert_id = reply.Text(2);
  admission.accepted = FromUnixMicros(reply.Number(3));
  if (word == "again") {
    admission.state = State::kAgain;
  } else if (word == "conflict") {
    admission.state = State::kConflict;
  } else {
    admission.state = State::kReplay;
    if (const std::string_view position = reply.Text(4);
        !admission.position.ParseFromArray(position.data(), static_cast<int>(position.size())))
      return Fail(ErrorCode::kCorrupt, "the position of " + admission.alert_id + " cannot be read");
  }
  return admission;
}

}  // namespace tocsin::redis
