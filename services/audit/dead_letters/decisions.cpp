#include "services/audit/dead_letters/decisions.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "common/domain/alert/alert_projection.h"
#include "common/domain/alert/ids.h"
#include "common/domain/alert/request_rules.h"
#include "common/domain/message/pii.h"
#include "common/domain/message/utf8.h"
#include "services/audit/projection/tables.h"

namespace tocsin::audit {
namespace {

using postgres::Rows;
using postgres::Transaction;
using postgres::Value;

std::vector<Value> KeyOf(const v1::AttemptRef& attempt) {
  return {attempt.alert_id(), std::to_string(attempt.step()), std::to_string(attempt.attempt())};
}

Status CheckAttempt(const v1::AttemptRef& attempt) {
  TOCSIN_CHECK_OK(CheckAlertId(attempt.alert_id(), "attempt.alert_id"));
  if (attempt.step() < 1)
    return Fail(ErrorCode::kInvalidArgument, "must be at least 1", "attempt.step");
  if (attempt.attempt() < 1)
    return Fail(ErrorCode::kInvalidArgument, "must be at least 1", "attempt.attempt");
  return {};
}

Status CheckDiscardReason(const std::string& reason, std::span<const std::string> regions) {
  size_t characters = 0;
  bool valid = true;
  for (size_t at = 0; at < reason.size(); ++characters) NextCodePoint(reason, at, valid);
  if (characters == 0 || characters > kMaxDiscardReason)
    return Fail(ErrorCode::kInvalidArgument, "must have 1 to 256 characters", "reason");
  if (HasControlCharacter(reason))
    return Fail(ErrorCode::kInvalidArgument, "must not contain control characters", "reason");
  if (const std::optional<PiiKind> kind = FindPii(reason, regions))
    return Fail(ErrorCode::kInvalidArgument,
                "looks like " + std::string(NameOf(*kind)) + ", and it is stored in the clear",
                "reason");
  return {};
}

struct DeadLetter {
  DeadLetterRow row;
  Decision decision;  // what was decided, if anything
};

// Locks the row until the end of the transaction.
Result<DeadLetter> Lock(Transaction& transaction, const v1::AttemptRef& attempt) {
  TOCSIN_TRY(const Rows rows,
             transaction.Query(SelectFrom(kDeadLetters) +
                                   " WHERE alert_id = $1::uuid AND step = $2::integer"
                                   " AND attempt = $3::integer FOR UPDATE",
                               KeyOf(attempt)));
  const auto not_found = [&] {
    return Fail(Error{.code = ErrorCode::kNotFound,
                      .message = "dead letter " + AttemptText(attempt) + " not found",
                      .subject = attempt.alert_id()});
  };
  if (rows.size() == 0) return not_found();
  DeadLetter letter{ReadRow(kDeadLetters, rows, 0), {}};
  Decision& decision = letter.decision;
  if (!decision.work.ParseFromString(letter.row.work)) return not_found();
  decision.traceparent = letter.row.traceparent;
  decision.actor_id = letter.row.actor_id;
  decision.time = FromUnixMicros(letter.row.close_time_us.value_or(0));
  decision.forced = letter.row.forced;
  decision.next_attempt = letter.row.next_attempt;
  decision.discard_reason = letter.row.discard_reason;
  return letter;
}

Status StoreDecision(Transaction& transaction, const v1::AttemptRef& attempt,
                     v1::DeadLetterState state, const Decision& decision) {
  std::vector<Value> parameters = KeyOf(attempt);
  parameters.emplace_back(std::to_string(static_cast<int>(state)));
  parameters.emplace_back(
      decision.next_attempt == 0 ? Value() : Value(std::to_string(decision.next_attempt)));
  parameters.emplace_back(decision.forced ? "t" : "f");
  parameters.emplace_back(std::to_string(ToUnixMicros(decision.time)));
  parameters.emplace_back(decision.actor_id);
  parameters.emplace_back(decision.discard_reason);
  TOCSIN_CHECK_OK(transaction.Query(R"(
    UPDATE tocsin.dead_letters
       SET state = $4::smallint, next_attempt = $5::integer, forced = $6::boolean, close_time_us = $7::bigint,
           actor_id = $8, discard_reason = $9
     WHERE alert_id = $1::uuid AND step = $2::integer AND attempt = $3::integer)",
                                    parameters));
  return {};
}

// The message of a refusal because of the alert's state; empty if workers may send.
std::string_view StoppedText(v1::AlertState state, bool cancelled) {
  if (cancelled) return "the client cancelled the alert";
  if (state == v1::ALERT_STATE_ACKNOWLEDGED) return "the alert was acknowledged";
  if (state == v1::ALERT_STATE_NOT_ACKNOWLEDGED) return "the goal of the plan was missed";
  return {};
}

// Why workers would send nothing of the alert; nothing if they may send. Not after its expire time,
// after a cancellation, even if that was too late for another attempt, after as many persons have
// acknowledged as its plan requires, and after the deadline of its goal.
Result<std::optional<Error>> FindRefusal(Transaction& transaction,
                                         const records::v1::WorkRecord& work, WallTime now) {
  const std::string& alert_id = work.attempt().alert_id();
  std::optional<Error> refusal;
  if (ToUnixMicros(now) >= work.expire_time_us()) {
    refusal = {.code = ErrorCode::kExpired, .message = "the alert has expired"};
    return refusal;
  }
  TOCSIN_TRY(const Rows rows,
             transaction.Query(
                 "SELECT state, EXISTS (SELECT FROM tocsin.alert_events e"
                 " WHERE e.alert_id = a.alert_id AND e.kind = $2::smallint)"
                 " FROM tocsin.alerts a WHERE a.alert_id = $1::uuid",
                 {alert_id, std::to_string(static_cast<int>(AlertEventKind::kCancelRequested))}));
  if (rows.size() == 0) return refusal;  // no event of it is projected
  const std::string_view text =
      StoppedText(static_cast<v1::AlertState>(rows.Integer(0, 0)), rows.Boolean(0, 1));
  if (!text.empty())
    refusal = {.code = ErrorCode::kCancelled, .message = std::string(text), .subject = alert_id};
  return refusal;
}

// Opens a dead letter again whose new attempt is refused now and was not published, as far as is
// projected: it would stay redriven although nothing was sent, and could not be discarded.
Status Reopen(Transaction& transaction, const DeadLetterRow& letter) {
  TOCSIN_TRY(const Rows published,
             transaction.Query("SELECT 1 FROM tocsin.attempts WHERE alert_id = $1::uuid"
                               " AND step = $2::integer AND attempt = $3::integer",
                               {letter.alert_id, std::to_string(letter.step),
                                std::to_string(letter.next_attempt)}));
  if (published.size() > 0) return {};
  TOCSIN_CHECK_OK(transaction.Query(
      "UPDATE tocsin.dead_letters SET state = $4::smallint, next_attempt = NULL, forced = false,"
      " close_time_us = NULL, actor_id = ''"
      " WHERE alert_id = $1::uuid AND step = $2::integer AND attempt = $3::integer",
      {letter.alert_id, std::to_string(letter.step), std::to_string(letter.attempt),
       std::to_string(static_cast<int>(v1::DEAD_LETTER_STATE_OPEN))}));
  return {};
}

bool IsInDoubt(std::string_view reason) { return reason == TraitsOf(ErrorCode::kInDoubt).name; }

// Twilio has accepted the attempt, or may have.
bool MayHaveBeenSent(const AttemptRow& attempt) {
  const bool in_progress = attempt.status >= v1::ATTEMPT_STATUS_SENDING &&
                           attempt.status <= v1::ATTEMPT_STATUS_UNDELIVERED;
  return in_progress || !attempt.provider_sid.empty() || attempt.was_in_doubt ||
         IsInDoubt(attempt.reason) || attempt.status == v1::ATTEMPT_STATUS_SENT_UNCONFIRMED ||
         attempt.status == v1::ATTEMPT_STATUS_BUSY ||
         attempt.status == v1::ATTEMPT_STATUS_NO_ANSWER;
}

Error MaySendTwice(std::int32_t number) {
  return {.code = ErrorCode::kInDoubt,
          .message = "attempt " + std::to_string(number) +
                     " was sent or is in doubt: a new attempt may deliver the alert twice"};
}

// The number of the new attempt. The row of an attempt without an end does not count as projected:
// the QUEUED event of a redriven attempt creates the row before anything is known of the attempt.
Result<std::int32_t> NextAttempt(Transaction& transaction, const DeadLetterRow& letter,
                                 bool force) {
  if (!force && IsInDoubt(letter.reason)) return Fail(MaySendTwice(letter.attempt));
  TOCSIN_TRY(
      const Rows rows,
      transaction.Query(SelectFrom(kAttempts) + " WHERE alert_id = $1::uuid AND step = $2::integer",
                        {letter.alert_id, std::to_string(letter.step)}));
  std::int32_t newest = letter.attempt;
  bool projected = false;
  for (size_t i = 0; i < rows.size(); ++i) {
    const AttemptRow attempt = ReadRow(kAttempts, rows, i);
    newest = std::max(newest, attempt.attempt);
    projected = projected || (attempt.attempt == letter.attempt && IsEnd(attempt.status));
    if (!force && MayHaveBeenSent(attempt)) return Fail(MaySendTwice(attempt.attempt));
  }
  if (!projected)
    return Fail(Error{.code = ErrorCode::kOverloaded,
                      .message = "the result of the attempt is not yet visible; retry",
                      .retry_after = std::chrono::milliseconds(500)});
  return newest + 1;
}

records::v1::Event MakeEvent(const Decision& decision, const v1::AttemptRef& attempt,
                             const std::string& seed) {
  const records::v1::WorkRecord& work = decision.work;
  records::v1::Event event;
  event.set_event_id(EventId(attempt, seed));
  *event.mutable_attempt() = attempt;
  event.set_client_id(work.client_id());
  event.set_priority(work.priority());
  event.set_channel(work.channel());
  event.set_time_us(ToUnixMicros(decision.time));
  *event.mutable_recipient() = work.recipient();
  return event;
}

}  // namespace

Result<Decision> DecideRedrive(postgres::Session& session, const v1::AttemptRef& attempt,
                               bool force, const std::string& actor_id, WallTime now) {
  TOCSIN_CHECK_OK(CheckAttempt(attempt));
  Decision decision;
  std::optional<Error> refusal;
  const Status decided = session.Run([&](Transaction& transaction) -> Status {
    TOCSIN_TRY(const DeadLetter letter, Lock(transaction, attempt));
    if (letter.row.state == v1::DEAD_LETTER_STATE_DISCARDED)
      return Fail(ErrorCode::kNotFound, "the dead letter was discarded");
    decision = letter.decision;
    const bool redriven = letter.row.state == v1::DEAD_LETTER_STATE_REDRIVEN;
    TOCSIN_TRY(refusal, FindRefusal(transaction, decision.work, now));
    if (refusal) return redriven ? Reopen(transaction, letter.row) : Status();
    if (redriven) return {};
    TOCSIN_TRY(decision.next_attempt, NextAttempt(transaction, letter.row, force));
    decision.actor_id = actor_id;
    decision.time = now;
    decision.forced = force;
    return StoreDecision(transaction, attempt, v1::DEAD_LETTER_STATE_REDRIVEN, decision);
  });
  TOCSIN_CHECK_OK(decided);
  if (refusal) return Fail(*std::move(refusal));
  return decision;
}

Result<Decision> DecideDiscard(postgres::Session& session, const v1::AttemptRef& attempt,
                               const std::string& reason, std::span<const std::string> regions,
                               const std::string& actor_id, WallTime now) {
  TOCSIN_CHECK_OK(CheckAttempt(attempt));
  TOCSIN_CHECK_OK(CheckDiscardReason(reason, regions));
  Decision decision;
  const Status decided = session.Run([&](Transaction& transaction) -> Status {
    TOCSIN_TRY(const DeadLetter letter, Lock(transaction, attempt));
    if (letter.row.state == v1::DEAD_LETTER_STATE_REDRIVEN)
      return Fail(ErrorCode::kNotFound, "the dead letter was redriven");
    decision = letter.decision;
    if (letter.row.state == v1::DEAD_LETTER_STATE_DISCARDED) return {};
    decision.actor_id = actor_id;
    decision.time = now;
    decision.discard_reason = reason;
    return StoreDecision(transaction, attempt, v1::DEAD_LETTER_STATE_DISCARDED, decision);
  });
  TOCSIN_CHECK_OK(decided);
  return decision;
}

OutgoingRecord AdminActionRecordOf(const Decision& decision, const Topics& topics) {
  const v1::AttemptRef& attempt = decision.work.attempt();
  const bool discarded = decision.next_attempt == 0;
  const std::string action = discarded ? "discard" : decision.forced ? "forced_redrive" : "redrive";
  records::v1::Event event = MakeEvent(decision, attempt, "admin/" + action);
  event.mutable_admin_action_recorded()->set_actor_id(decision.actor_id);
  event.mutable_admin_action_recorded()->set_action(action);
  event.mutable_admin_action_recorded()->set_subject(
      AttemptText(attempt) + (discarded ? ": " + decision.discard_reason
                                        : " as attempt " + std::to_string(decision.next_attempt)));
  return MakeRecord(topics.Events(), attempt.alert_id(), event, decision.traceparent);
}

std::vector<OutgoingRecord> NextAttemptRecordsOf(const Decision& decision, const Topics& topics) {
  records::v1::WorkRecord work = decision.work;
  work.mutable_attempt()->set_attempt(decision.next_attempt);
  work.set_kind(records::v1::WORK_KIND_ATTEMPT);
  work.set_due_time_us(0);
  work.clear_rate_reservation();
  work.clear_acceptance();
  work.clear_in_doubt();
  records::v1::RetryBudget& budget = *work.mutable_retry_budget();
  budget.set_attempts_used(budget.attempts_used() + 1);
  budget.set_attempts_max(std::max(budget.attempts_max(), budget.attempts_used()));
  records::v1::Event queued =
      MakeEvent(decision, work.attempt(), "status/" + std::to_string(v1::ATTEMPT_STATUS_QUEUED));
  queued.mutable_attempt_changed()->set_status(v1::ATTEMPT_STATUS_QUEUED);
  queued.mutable_attempt_changed()->set_sender_id(work.sender_id());
  queued.mutable_attempt_changed()->set_note(
      (decision.forced ? "redrive forced by " : "redriven by ") + decision.actor_id);
  const std::string& key = work.attempt().alert_id();
  std::vector<OutgoingRecord> records;
  records.push_back(MakeRecord(topics.Events(), key, queued, decision.traceparent));
  records.push_back(
      MakeRecord(topics.Lane(work.channel(), work.priority()), key, work, decision.traceparent));
  return records;
}

}  // namespace tocsin::audit
