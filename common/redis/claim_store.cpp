#include "common/redis/claim_store.h"

#include <algorithm>
#include <chrono>

#include "common/base/failpoint.h"
#include "common/domain/alert/alert_projection.h"
#include "common/domain/delivery/in_doubt.h"
#include "common/redis/claim_store_restorer.h"

namespace tocsin::redis {
namespace {

using State = ClaimReply::State;

WallTime Now() { return std::chrono::time_point_cast<Micros>(std::chrono::system_clock::now()); }

// The result of an attempt that the store stops before it starts. Its time is that of the first
// claim: the result is stored, so that every repetition gets the same.
std::string StoppedResult(std::string_view reason,
                          v1::AttemptStatus status = v1::ATTEMPT_STATUS_CANCELLED) {
  records::v1::AttemptResult result;
  result.set_outcome(records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED);
  result.set_status(status);
  result.set_reason(std::string(reason));
  result.set_end_time_us(ToUnixMicros(Now()));
  return result.SerializeAsString();
}

Result<records::v1::AttemptResult> ParseResult(std::string_view bytes) {
  records::v1::AttemptResult result;
  if (!result.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return Fail(ErrorCode::kDataCorrupted, "unparsable result in Redis");
  return result;
}

// "1 2"
std::string JoinNumbers(const std::vector<std::int32_t>& numbers) {
  std::string text;
  for (const std::int32_t number : numbers)
    text += (text.empty() ? "" : " ") + std::to_string(number);
  return text;
}

// The arguments of claim.lua from the 18th on.
std::vector<std::string> AcceptanceArgs(const std::optional<AcceptedAlert>& accepted,
                                        const Keys& keys) {
  if (!accepted) return std::vector<std::string>(5);
  return {
      keys.AlertPrefix(), accepted->position.SerializeAsString(), accepted->request_digest,
      std::to_string(ToUnixMicros(accepted->create_time)),
      StoppedResult(TraitsOf(ErrorCode::kIdempotencyConflict).name, v1::ATTEMPT_STATUS_REJECTED)};
}

// Those from the 23rd on.
std::vector<std::string> PlanArgs(const std::optional<PlanCondition>& plan) {
  if (!plan) return std::vector<std::string>(8);
  return {std::to_string(plan->goal),
          std::to_string(plan->person_count),
          plan->person,
          JoinNumbers(plan->before),
          std::to_string(plan->wait.count()),
          StoppedResult(kGoalReachedReason),
          StoppedResult(kGoalMissedReason),
          StoppedResult(kPersonDoneReason)};
}

Result<ClaimReply> ParseReply(const Reply& reply) {
  const std::string_view word = reply.Text(0);
  ClaimReply claim;
  if (word == "done" || word == "stopped") {
    claim.state = word == "done" ? State::kDone : State::kStopped;
    TOCSIN_TRY(claim.result, ParseResult(reply.Text(2)));
    return claim;
  }
  claim.state = word == "granted" ? State::kGranted
                : word == "busy"  ? State::kBusy
                : word == "early" ? State::kEarly
                                  : State::kLapsed;
  claim.fence = static_cast<std::uint64_t>(reply.Number(2));
  claim.begin_time = FromUnixMicros(reply.Number(3));
  claim.lease_left = Micros(reply.Number(4));
  return claim;
}

ScriptCall FindWorkCall(const v1::AttemptRef& attempt, const Keys& keys) {
  return {.script = FindWorkScript(),
          .keys = {keys.Alert(attempt.alert_id())},
          .args = {std::to_string(attempt.step())}};
}

// Nothing if the script found no work, or that of another attempt of the step.
std::optional<std::string> WorkOf(const v1::AttemptRef& attempt, const Reply& reply) {
  records::v1::WorkRecord work;
  const std::string_view stored = reply.Text(2);
  if (stored.empty() || !work.ParseFromArray(stored.data(), static_cast<int>(stored.size())) ||
      work.attempt().attempt() != attempt.attempt())
    return std::nullopt;
  return std::string(stored);
}

}  // namespace

Task<Result<ClaimReply>> ClaimStore::Claim(const ClaimRequest& request) {
  const auto& end = request.not_attempted;
  const Keys& keys = client_.keys();
  ScriptCall call{
      .script = ClaimScript(),
      .keys = {keys.Alert(request.attempt.alert_id()), keys.Duplicates(request.duplicate_key)},
      .args = {FieldPrefix(request.attempt), std::to_string(request.attempt.step()),
               request.client_id, request.owner, std::to_string(request.lease.count()),
               request.work, end ? end->SerializeAsString() : std::string(),
               ProofText(Proof::kUnresolved), StoppedResult(TraitsOf(ErrorCode::kCancelled).name),
               StoppedResult(kAcknowledgedReason), ExpiryText(request.expire_time),
               AttemptName(request.attempt),
               request.ack_code ? keys.AckCodes(request.ack_code->recipient_token) : std::string(),
               request.ack_code
                   ? AckCodeText(request.attempt, request.ack_code->code, request.expire_time)
                   : std::string(),
               request.attempt.alert_id()}};
  const bool has_key = request.accepted && !request.accepted->idempotency_digest.empty();
  if (has_key) call.keys.push_back(keys.Idempotency(request.accepted->idempotency_digest));
  for (std::string& arg : AcceptanceArgs(has_key ? request.accepted : std::nullopt, keys))
    call.args.push_back(std::move(arg));
  for (std::string& arg : PlanArgs(request.plan)) call.args.push_back(std::move(arg));
  TOCSIN_CO_TRY(const Reply reply, co_await client_.Run(std::move(call)));
  Result<ClaimReply> claim = ParseReply(reply);
  if (TOCSIN_WITHOUT("claim") && claim && !end) {
    claim->state = State::kGranted;
    claim->fence = std::max<std::uint64_t>(claim->fence, 1);  // not kNoFence
    claim->begin_time = Now();
  }
  // As if the release of the former claim were delayed and ignored the fence.
  if (TOCSIN_WITHOUT("fence") && claim && claim->fence > 1 && claim->state == State::kGranted)
    TOCSIN_CO_CHECK_OK(co_await Release(request.attempt, claim->fence));
  co_return claim;
}

Task<Status> ClaimStore::Release(const v1::AttemptRef& attempt, std::uint64_t fence) {
  ScriptCall call{.script = ReleaseScript(),
                  .keys = {client_.keys().Alert(attempt.alert_id())},
                  .args = {FieldPrefix(attempt), std::to_string(fence)}};
  TOCSIN_CO_CHECK_OK(co_await client_.Run(std::move(call)));
  co_return Status();
}

Task<Result<std::optional<records::v1::AttemptResult>>> ClaimStore::SaveResult(
    const v1::AttemptRef& attempt, std::uint64_t fence, const records::v1::AttemptResult& result) {
  const Keys& keys = client_.keys();
  const bool accepted = result.outcome() == records::v1::ATTEMPT_OUTCOME_ACCEPTED;
  if (accepted && result.provider_sid().empty())
    co_return Fail(ErrorCode::kInvalidArgument,
                   "accepted attempt " + AttemptName(attempt) + " without a SID");
  ScriptCall call{
      .script = SaveResultScript(),
      .keys = {keys.Alert(attempt.alert_id()), keys.Sid(result.provider_sid()),
               keys.Unreconciled(ChannelOf(result)), keys.Unpriced(ChannelOf(result))},
      .args = {FieldPrefix(attempt), std::to_string(fence), result.SerializeAsString(),
               FlagText(accepted), ProofText(ProofOf(result)), AttemptName(attempt),
               std::to_string(kMaxLife.count()), ProofText(Proof::kInDoubt),
               EndText(accepted && IsEnd(result.status()),
                       result.status() == v1::ATTEMPT_STATUS_DELIVERED),
               std::to_string(initial_delay_.count()), keys.AlertPrefix(), ReachText(result)}};
  TOCSIN_CO_TRY(const Reply reply, co_await client_.Run(std::move(call)));
  if (reply.Text(0) == "sid_conflict")
    co_return Fail(ErrorCode::kDataCorrupted, "the SID of attempt " + AttemptName(attempt) +
                                                  " belongs to " + std::string(reply.Text(2)));
  if (reply.Text(2).empty()) co_return std::optional<records::v1::AttemptResult>();
  TOCSIN_CO_TRY(records::v1::AttemptResult stored, ParseResult(reply.Text(2)));
  co_return std::optional(std::move(stored));
}

Task<Result<std::optional<records::v1::AttemptResult>>> ClaimStore::Resolve(
    const ResolveRequest& request) {
  const Keys& keys = client_.keys();
  const v1::Channel channel =
      request.found.empty() ? v1::CHANNEL_SMS : ChannelOf(request.found.front());
  ScriptCall call{
      .script = ResolveScript(),
      .keys = {keys.Alert(request.attempt.alert_id()), keys.Duplicates(request.duplicate_key),
               keys.Unreconciled(channel), keys.Unpriced(channel)},
      .args = {FieldPrefix(request.attempt), AttemptName(request.attempt), keys.AlertPrefix(),
               keys.SidPrefix(), ExpiryText(request.expire_time),
               request.unresolved ? request.unresolved->SerializeAsString() : std::string(),
               ProofText(request.unresolved ? ProofOf(*request.unresolved) : Proof::kUnresolved),
               ProofText(Proof::kList), ProofText(Proof::kInDoubt),
               std::to_string(initial_delay_.count()),
               request.absent ? request.absent->SerializeAsString() : std::string(),
               std::to_string(request.listed_sids.size())}};
  for (const std::string& sid : request.listed_sids) call.args.push_back(sid);
  for (const records::v1::AttemptResult& found : request.found) {
    call.args.push_back(found.provider_sid());
    call.args.push_back(found.SerializeAsString());
  }
  TOCSIN_CO_TRY(const Reply reply, co_await client_.Run(std::move(call)));
  if (reply.Text(0) == "in_doubt") co_return std::optional<records::v1::AttemptResult>();
  TOCSIN_CO_TRY(records::v1::AttemptResult result, ParseResult(reply.Text(2)));
  co_return std::optional(std::move(result));
}

Task<Status> ClaimStore::Sync(const KnownAttempt& known) {
  ScriptCall call = RestoreCall(known, client_.keys(), initial_delay_);
  TOCSIN_CO_CHECK_OK(co_await client_.Run(std::move(call)));
  co_return Status();
}

Task<Result<std::optional<std::string>>> ClaimStore::FindWork(const v1::AttemptRef& attempt) {
  ScriptCall call = FindWorkCall(attempt, client_.keys());
  TOCSIN_CO_TRY(const Reply reply, co_await client_.Run(std::move(call)));
  co_return WorkOf(attempt, reply);
}

Result<std::optional<std::string>> FindWork(Server& server, const v1::AttemptRef& attempt) {
  TOCSIN_TRY(const Reply reply, server.Run(FindWorkCall(attempt, server.keys())));
  return WorkOf(attempt, reply);
}

Task<Result<std::optional<WallTime>>> ClaimStore::NoteUndelivered(const v1::AttemptRef& attempt,
                                                                  std::optional<WallTime> time) {
  ScriptCall call{.script = NoteUndeliveredScript(),
                  .keys = {client_.keys().Alert(attempt.alert_id())},
                  .args = {FieldPrefix(attempt), time ? std::to_string(ToUnixMicros(*time)) : "0",
                           std::to_string(kMaxLife.count())}};
  TOCSIN_CO_TRY(const Reply reply, co_await client_.Run(std::move(call)));
  const std::int64_t first_us = reply.Number(2);
  co_return first_us == 0 ? std::nullopt : std::optional(FromUnixMicros(first_us));
}

Task<Result<std::optional<WallTime>>> ClaimStore::NoteTargetFailed(
    const v1::AttemptRef& attempt, const std::vector<std::int32_t>& last_targets, WallTime time) {
  ScriptCall call{.script = NoteTargetFailedScript(),
                  .keys = {client_.keys().Alert(attempt.alert_id())},
                  .args = {std::to_string(attempt.step()), std::to_string(kMaxLife.count()),
                           JoinNumbers(last_targets), std::to_string(ToUnixMicros(time))}};
  TOCSIN_CO_TRY(const Reply reply, co_await client_.Run(std::move(call)));
  if (reply.Text(0) != "exhausted") co_return std::optional<WallTime>();
  co_return std::optional(FromUnixMicros(reply.Number(2)));
}

Task<Result<PlanEnd>> ClaimStore::EndPlan(const v1::AttemptRef& attempt, const PlanCondition& plan,
                                          WallTime deadline) {
  ScriptCall call{
      .script = EndPlanScript(),
      .keys = {client_.keys().Alert(attempt.alert_id())},
      .args = {std::to_string(plan.goal), std::to_string(plan.person_count),
               std::to_string(ToUnixMicros(deadline)), std::to_string(kMaxLife.count())}};
  TOCSIN_CO_TRY(const Reply reply, co_await client_.Run(std::move(call)));
  PlanEnd end;
  if (reply.Text(0) == "reached") end.state = PlanEnd::State::kGoalReached;
  if (reply.Text(0) == "cancelled") end.state = PlanEnd::State::kCancelled;
  for (std::size_t i = 2; i + 1 < reply.items.size(); i += 2) {
    MarkValue mark = ParseMark(reply.Text(i + 1));
    end.acknowledgements.push_back({.time = mark.time,
                                    .mark = {.kind = KnownMark::Kind::kAcknowledged,
                                             .method = mark.method,
                                             .actor_id = std::move(mark.actor_id),
                                             .step = mark.step,
                                             .evidence = std::move(mark.evidence),
                                             .person = std::string(reply.Text(i))}});
  }
  co_return end;
}

Task<Result<std::vector<records::v1::AttemptResult>>> ClaimStore::FindCallsToEnd(
    const std::string& alert_id) {
  ScriptCall call{
      .script = FindCallsToEndScript(), .keys = {client_.keys().Alert(alert_id)}, .args = {}};
  TOCSIN_CO_TRY(const Reply reply, co_await client_.Run(std::move(call)));
  std::vector<records::v1::AttemptResult> calls;
  for (std::size_t i = 2; i < reply.items.size(); ++i) {
    TOCSIN_CO_TRY(records::v1::AttemptResult result, ParseResult(reply.Text(i)));
    const bool accepted = result.outcome() == records::v1::ATTEMPT_OUTCOME_ACCEPTED;
    if (accepted && ChannelOf(result) == v1::CHANNEL_VOICE) calls.push_back(std::move(result));
  }
  co_return calls;
}

Task<Status> ClaimStore::Ping() {
  ScriptCall call{.script = PingScript(), .keys = {client_.keys().Probe()}, .args = {}};
  TOCSIN_CO_CHECK_OK(co_await client_.Run(std::move(call)));
  co_return Status();
}

}  // namespace tocsin::redis
