#include "common/redis/admission_queue.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <iterator>
#include <map>
#include <utility>

#include "common/base/encoding.h"
#include "common/domain/alert/issued_id.h"
#include "common/ports/acceptance_restorer.h"

namespace tocsin::redis {
namespace {

static_assert(kRetention >= kAlertStateRetention, "the promise of issued ids");
constexpr std::size_t kMarkHeaderItems = 15;  // of the reply of mark.lua, before the results

Admission NewAdmission(const AdmitRequest& request) {
  return {.state = Admission::State::kNew,
          .alert_id = request.alert_id,
          .create_time = request.create_time,
          .position = {}};
}

Error QueueFull() { return {.code = ErrorCode::kOverloaded, .message = "admission queue full"}; }

std::string NameOf(MarkRequest::Mark mark) {
  switch (mark) {  // no default: -Wswitch reports a missing row
    case MarkRequest::Mark::kCancelled: return "cancelled";
    case MarkRequest::Mark::kAcknowledged: return "acknowledged";
    case MarkRequest::Mark::kDeclined: return "declined";
  }
  return "cancelled";
}

std::optional<StoredAcknowledgement> ParseAcknowledgement(std::string_view mark,
                                                          std::string_view person) {
  if (mark.empty()) return std::nullopt;
  MarkValue value = ParseMark(mark);
  return StoredAcknowledgement{.time = value.time,
                               .mark = {.kind = KnownMark::Kind::kAcknowledged,
                                        .method = value.method,
                                        .actor_id = std::move(value.actor_id),
                                        .step = value.step,
                                        .evidence = std::move(value.evidence),
                                        .person = std::string(person)}};
}

// "<step>.<attempt>"
std::pair<int, int> ParseFieldPrefix(std::string_view text) {
  std::pair<int, int> number;
  const char* const end = text.data() + text.size();
  const char* const dot = std::from_chars(text.data(), end, number.first).ptr;
  if (dot != end) std::from_chars(dot + 1, end, number.second);
  return number;
}

}  // namespace

AdmissionQueue::AdmissionQueue(Server& server, unsigned threads, std::size_t limit)
    : server_(server), limit_(limit) {
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
}

AdmissionQueue::~AdmissionQueue() { Stop(); }

void AdmissionQueue::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void AdmissionQueue::Admit(AdmitRequest request, std::function<void(Result<Admission>)> done) {
  Queue& queue = request.emergency ? urgent_ : others_;
  AdmitOperation operation{std::move(request), done};
  if (!Enqueue(queue, {std::move(operation), Deadline()}, limit_)) done(Fail(QueueFull()));
}

void AdmissionQueue::Confirm(const std::string& alert_id, const records::v1::Position& position,
                             std::function<void()> done) {
  ConfirmOperation operation{alert_id, position, done};
  if (!Enqueue(others_, {std::move(operation), Deadline()}, 2 * limit_)) done();
}

void AdmissionQueue::ConfirmEmergency(const std::string& alert_id,
                                      const records::v1::Position& position,
                                      std::function<void()> done) {
  ConfirmOperation operation{alert_id, position, done};
  if (!Enqueue(urgent_, {std::move(operation), Deadline()}, 2 * limit_)) done();
}

void AdmissionQueue::Withdraw(const std::string& alert_id, const std::string& idempotency_digest,
                              const std::string& nonce) {
  Enqueue(others_, {WithdrawOperation{alert_id, idempotency_digest, nonce}, Deadline()},
          2 * limit_);
}

void AdmissionQueue::Mark(MarkRequest request, std::function<void(Result<MarkResult>)> done) {
  MarkOperation operation{std::move(request), done};
  if (!Enqueue(urgent_, {std::move(operation), Deadline()}, limit_)) done(Fail(QueueFull()));
}

void AdmissionQueue::FindAckCode(FindAckCodeRequest request,
                                 std::function<void(Result<AckCodeMatches>)> done) {
  FindAckCodeOperation operation{std::move(request), done};
  if (!Enqueue(urgent_, {std::move(operation), Deadline()}, limit_)) done(Fail(QueueFull()));
}

std::size_t AdmissionQueue::Depth() const {
  const std::lock_guard lock(mutex_);
  return urgent_.size() + others_.size();
}

SteadyTime AdmissionQueue::Deadline() const {
  return std::chrono::steady_clock::now() + server_.settings().request_timeout;
}

bool AdmissionQueue::Enqueue(Queue& queue, QueuedRequest request, std::size_t limit) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || queue.size() >= limit) return false;
    queue.push_back(std::move(request));
  }
  changed_.notify_one();
  return true;
}

// Blocks until there are requests; empty when the queues are stopped and drained. The requests of
// one queue are in the order of their deadlines.
AdmissionQueue::Batch AdmissionQueue::NextBatch() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stopping_ || !urgent_.empty() || !others_.empty(); });
  Queue& queue = urgent_.empty() ? others_ : urgent_;
  const auto count = static_cast<std::ptrdiff_t>(std::min(queue.size(), kAdmissionBatchLimit));
  Batch batch(std::make_move_iterator(queue.begin()),
              std::make_move_iterator(queue.begin() + count));
  queue.erase(queue.begin(), queue.begin() + count);
  return batch;
}

void AdmissionQueue::Run() {
  std::optional<Connection> connection;
  for (Batch batch = NextBatch(); !batch.empty(); batch = NextBatch()) Execute(connection, batch);
}

void AdmissionQueue::Execute(std::optional<Connection>& connection, Batch& batch) {
  RefuseLate(batch);
  if (batch.empty()) return;
  // The oldest request has the earliest deadline.
  const SteadyTime deadline = batch.front().deadline;
  if (!connection || !connection->IsUsable()) {
    connection.reset();
    Result<Connection> opened = Open(deadline);
    if (!opened) {
      for (QueuedRequest& request : batch) Refuse(request, opened.error());
      return;
    }
    connection.emplace(*std::move(opened));
  }
  const std::shared_ptr<EpochTracker::AdoptedEpoch> epoch = server_.tracker().Current();
  Result<std::vector<Replies>> replies = Send(*connection, batch, *epoch, deadline);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (replies)
      Finish(batch[i], (*replies)[i], *epoch);
    else
      Refuse(batch[i], replies.error());
  }
}

// Refuses requests with less than a quarter of their time left. They would probably reach their
// deadline, which breaks the connection and fails the whole batch: under overload no request would
// succeed.
void AdmissionQueue::RefuseLate(Batch& batch) {
  const SteadyTime earliest =
      std::chrono::steady_clock::now() + server_.settings().request_timeout / 4;
  const auto in_time = std::find_if(batch.begin(), batch.end(), [&](const QueuedRequest& request) {
    return request.deadline > earliest;
  });
  for (auto late = batch.begin(); late != in_time; ++late)
    Refuse(*late, Unavailable("request waited too long in the admission queue"));
  batch.erase(batch.begin(), in_time);
}

// Loads the scripts: after a NOSCRIPT reply a request would be executed after later ones.
Result<Connection> AdmissionQueue::Open(SteadyTime deadline) {
  TOCSIN_TRY(Connection connection, server_.Connect(deadline));
  for (const Script* script :
       {&AdmitScript(), &WithdrawScript(), &MarkScript(), &FindAckCodeScript()})
    connection.Append({"SCRIPT", "LOAD", script->text});
  TOCSIN_CHECK_OK(connection.Execute(deadline));
  return connection;
}

// Fails if the connection does, or if the epoch that was read last is not the adopted one.
Result<std::vector<AdmissionQueue::Replies>> AdmissionQueue::Send(Connection& connection,
                                                                  const Batch& batch,
                                                                  EpochTracker::AdoptedEpoch& epoch,
                                                                  SteadyTime deadline) {
  std::vector<std::size_t> counts;
  counts.reserve(batch.size());
  for (const QueuedRequest& request : batch)
    counts.push_back(AppendRequest(connection, request, epoch));
  connection.Append({"GET", server_.keys().Epoch()});
  TOCSIN_TRY(std::vector<Reply> received, connection.Execute(deadline));
  if (received.back().IsError()) return Fail(ErrorOf(received.back()));
  if (received.back().text != epoch.id) return Fail(server_.tracker().ReportDataLoss(epoch));

  std::vector<Replies> replies(batch.size());
  std::size_t next = 0;
  for (std::size_t i = 0; i < batch.size(); ++i)
    for (std::size_t j = 0; j < counts[i]; ++j) replies[i][j] = std::move(received[next++]);
  TOCSIN_CHECK_OK(ResendByText(connection, batch, epoch, deadline, replies));
  return replies;
}

// Repeats the calls of scripts that Redis did not know, with their text.
Status AdmissionQueue::ResendByText(Connection& connection, const Batch& batch,
                                    const EpochTracker::AdoptedEpoch& epoch, SteadyTime deadline,
                                    std::vector<Replies>& replies) {
  std::vector<std::size_t> unknown;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (!IsNoScript(replies[i][0])) continue;
    Append(connection, *ScriptCallOf(batch[i], epoch), server_.keys(), epoch, CallForm::kByText);
    unknown.push_back(i);
  }
  if (unknown.empty()) return {};
  TOCSIN_TRY(std::vector<Reply> received, connection.Execute(deadline));
  for (std::size_t i = 0; i < unknown.size(); ++i) replies[unknown[i]][0] = std::move(received[i]);
  return {};
}

// Returns the number of commands.
std::size_t AdmissionQueue::AppendRequest(Connection& connection, const QueuedRequest& request,
                                          const EpochTracker::AdoptedEpoch& epoch) {
  if (const auto call = ScriptCallOf(request, epoch)) {
    Append(connection, *call, server_.keys(), epoch, CallForm::kBySha);
    return 1;
  }
  const ConfirmOperation& confirm = std::get<ConfirmOperation>(request.operation);
  const std::string key = server_.keys().Alert(confirm.alert_id);
  connection.Append(
      {"HSET", key, "state", "accepted", "position", confirm.position.SerializeAsString()});
  // Only if the key was created by this HSET, because the alert's state had expired.
  connection.Append({"PEXPIRE", key, std::to_string(kMaxLife.count()), "NX"});
  return 2;
}

std::optional<ScriptCall> AdmissionQueue::ScriptCallOf(
    const QueuedRequest& request, const EpochTracker::AdoptedEpoch& epoch) const {
  const Keys& keys = server_.keys();
  const auto marker = [&] { return server_.tracker().RestoredMarker(epoch.id); };
  if (const auto* admit = std::get_if<AdmitOperation>(&request.operation)) {
    const AdmitRequest& alert = admit->request;
    return ScriptCall{.script = AdmitScript(),
                      .keys = {keys.Idempotency(alert.idempotency_digest),
                               keys.Alert(alert.alert_id), keys.AcceptancesRestored()},
                      .args = {alert.alert_id, alert.client_id, alert.request_digest, alert.nonce,
                               std::to_string(ToUnixMicros(alert.create_time)),
                               ExpiryText(alert.expire_time), keys.AlertPrefix(),
                               FlagText(alert.only_if_known), marker(), FlagText(alert.emergency)}};
  }
  if (const auto* withdraw = std::get_if<WithdrawOperation>(&request.operation))
    return ScriptCall{
        .script = WithdrawScript(),
        .keys = {keys.Alert(withdraw->alert_id), keys.Idempotency(withdraw->idempotency_digest)},
        .args = {withdraw->alert_id, withdraw->nonce}};
  if (const auto* mark_operation = std::get_if<MarkOperation>(&request.operation)) {
    const MarkRequest& mark = mark_operation->request;
    return ScriptCall{
        .script = MarkScript(),
        .keys = {keys.Alert(mark.alert_id), keys.AcceptancesRestored(), keys.Restored()},
        .args = {mark.client_id, NameOf(mark.mark),
                 MarkText({.time = mark.time,
                           .method = mark.method,
                           .actor_id = mark.actor_id,
                           .step = mark.step,
                           .evidence = mark.evidence}),
                 marker(), mark.issued_until ? ExpiryText(*mark.issued_until) : std::string(),
                 FlagText(mark.unless_cancelled), mark.person, std::to_string(mark.step),
                 mark.actor_id, FlagText(mark.unless_acknowledged)}};
  }
  if (const auto* find = std::get_if<FindAckCodeOperation>(&request.operation))
    return ScriptCall{.script = FindAckCodeScript(),
                      .keys = {keys.AckCodes(find->request.recipient_token), keys.Restored()},
                      .args = {find->request.code, keys.AlertPrefix(), marker(),
                               std::to_string(ToUnixMicros(find->request.time)),
                               HexEncode(find->request.evidence)}};
  return std::nullopt;
}

void AdmissionQueue::Refuse(QueuedRequest& request, const Error& error) {
  if (auto* admit = std::get_if<AdmitOperation>(&request.operation)) admit->done(Fail(error));
  if (auto* mark = std::get_if<MarkOperation>(&request.operation)) mark->done(Fail(error));
  if (auto* find = std::get_if<FindAckCodeOperation>(&request.operation)) find->done(Fail(error));
  if (auto* confirm = std::get_if<ConfirmOperation>(&request.operation)) confirm->done();
}

void AdmissionQueue::Finish(QueuedRequest& request, Replies& replies,
                            EpochTracker::AdoptedEpoch& epoch) {
  if (auto* admit = std::get_if<AdmitOperation>(&request.operation))
    admit->done(ParseAdmission(admit->request, replies, epoch));
  if (auto* mark = std::get_if<MarkOperation>(&request.operation))
    mark->done(ParseMarkResult(mark->request, replies, epoch));
  if (auto* find = std::get_if<FindAckCodeOperation>(&request.operation))
    find->done(ParseAckCodeMatches(replies, epoch));
  if (auto* confirm = std::get_if<ConfirmOperation>(&request.operation)) confirm->done();
}

Result<AckCodeMatches> AdmissionQueue::ParseAckCodeMatches(Replies& replies,
                                                           EpochTracker::AdoptedEpoch& epoch) {
  constexpr std::size_t kItemsOfAlert = 5;
  TOCSIN_TRY(const Reply reply, CheckReply(std::move(replies[0]), server_.tracker(), epoch));
  if (reply.Text(0) == "restoring") return Fail(RestoringAcceptances());
  AckCodeMatches matches{.alerts = {}, .waiting = static_cast<int>(reply.Number(2))};
  for (std::size_t i = 3; i + kItemsOfAlert <= reply.items.size(); i += kItemsOfAlert)
    matches.alerts.push_back({.alert_id = std::string(reply.Text(i)),
                              .step = static_cast<std::int32_t>(reply.Number(i + 1)),
                              .acknowledged = reply.Text(i + 2) == "1",
                              .declined = reply.Text(i + 3) == "1",
                              .repeated = reply.Text(i + 4) == "1"});
  return matches;
}

Result<MarkResult> AdmissionQueue::ParseMarkResult(const MarkRequest& request, Replies& replies,
                                                   EpochTracker::AdoptedEpoch& epoch) {
  TOCSIN_TRY(const Reply reply, CheckReply(std::move(replies[0]), server_.tracker(), epoch));
  if (reply.Text(0) == "restoring") return Fail(RestoringAcceptances());
  if (reply.Text(0) == "unknown_alert")
    return Fail(ErrorCode::kNotFound, "no such alert", "alert_id");
  MarkValue mark = ParseMark(reply.Text(2));
  const bool acknowledged = reply.Text(12) == "1";
  MarkResult result{.newly_marked = reply.Number(3) == 1,
                    .time = mark.time,
                    .method = mark.method,
                    .actor_id = std::move(mark.actor_id),
                    .step = mark.step,
                    .evidence = std::move(mark.evidence),
                    .client_id = std::string(reply.Text(9)),
                    .person = std::string(reply.Text(10)),
                    .has_plan = reply.Text(11) == "1",
                    .cancelled = request.unless_cancelled && reply.Text(2).empty() && !acknowledged,
                    .acknowledged = acknowledged,
                    .post_in_progress = reply.Text(4) == "1",
                    .delivered = reply.Text(5) == "1",
                    .may_be_emergency = reply.Text(7) == "1",
                    .work = std::string(reply.Text(13)),
                    .acknowledged_before = ParseAcknowledgement(reply.Text(6), reply.Text(14))};
  if (!reply.Text(8).empty()) result.create_time = FromUnixMicros(reply.Number(8));
  std::map<std::pair<int, int>, records::v1::AttemptResult> results;  // by step and attempt
  for (std::size_t i = kMarkHeaderItems; i + 1 < reply.items.size(); i += 2) {
    const std::string_view bytes = reply.Text(i + 1);
    if (!results[ParseFieldPrefix(reply.Text(i))].ParseFromArray(bytes.data(),
                                                                 static_cast<int>(bytes.size())))
      return Fail(ErrorCode::kDataCorrupted,
                  "unparsable result of alert " + request.alert_id + " in Redis");
  }
  for (auto& [number, attempt_result] : results)
    result.results.push_back(std::move(attempt_result));
  return result;
}

Result<Admission> AdmissionQueue::ParseAdmission(const AdmitRequest& request, Replies& replies,
                                                 EpochTracker::AdoptedEpoch& epoch) {
  using State = Admission::State;
  TOCSIN_TRY(const Reply reply, CheckReply(std::move(replies[0]), server_.tracker(), epoch));
  Admission admission = NewAdmission(request);
  const std::string_view word = reply.Text(0);
  if (word == "restoring") return Fail(RestoringAcceptances());
  if (word == "new") return admission;
  if (word == "unknown_key") {
    admission.state = State::kUnknownKey;
    return admission;
  }
  admission.alert_id = reply.Text(2);
  admission.create_time = FromUnixMicros(reply.Number(3));
  if (word == "republish") {
    admission.state = State::kRepublish;
  } else if (word == "conflict") {
    admission.state = State::kConflict;
  } else {
    admission.state = State::kReplay;
    if (const std::string_view position = reply.Text(4);
        !admission.position.ParseFromArray(position.data(), static_cast<int>(position.size())))
      return Fail(ErrorCode::kDataCorrupted,
                  "unparsable position of alert " + admission.alert_id + " in Redis");
  }
  return admission;
}

}  // namespace tocsin::redis
