#include "services/audit/dead_letters.h"

#include <google/protobuf/message.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <string_view>
#include <utility>

#include "common/base/uuid.h"
#include "common/domain/folding.h"
#include "common/domain/ids.h"
#include "services/audit/alert_list.h"
#include "services/audit/page_token.h"
#include "services/audit/timeline.h"

namespace tocsin::audit {
namespace {

using postgres::RowArrays;
using postgres::Rows;
using postgres::Transaction;
using postgres::Value;

enum class LetterState { kOpen = 0, kRedriven = 1, kDropped = 2 };

constexpr size_t kMaxReason = 64;  // names of the closed list are shorter

constexpr char kInsert[] = R"(
  INSERT INTO tocsin.dead_letters (alert_id, step, try, client_id, channel, reason, explanation, dead_us, topic,
                                   partition, record_offset, work)
  SELECT a, b, c, d, e, f, g, h, i, j, k, decode(l, 'hex')
    FROM unnest($1::uuid[], $2::integer[], $3::integer[], $4::text[], $5::smallint[], $6::text[], $7::text[],
                $8::bigint[], $9::text[], $10::integer[], $11::bigint[], $12::text[])
      AS z (a, b, c, d, e, f, g, h, i, j, k, l)
  ON CONFLICT DO NOTHING)";
constexpr size_t kColumns = 12;

// A place in the list as a token carries it: time/alert/step/try.
std::string PlaceText(const v1::DeadLetter& letter, std::int64_t dead_us) {
  return std::to_string(dead_us) + '/' + letter.try_().alert_id() + '/' +
         std::to_string(letter.try_().step()) + '/' + std::to_string(letter.try_().try_());
}

Result<DeadLetterQuery::Place> PlaceOf(const std::string& text) {
  DeadLetterQuery::Place place;
  char id[37] = {};
  unsigned step = 0;
  unsigned attempt = 0;
  long long micros = 0;
  // Made by us: the MAC was checked.
  if (std::sscanf(text.c_str(), "%lld/%36[0-9a-f-]/%u/%u", &micros, id, &step, &attempt) != 4)
    return Fail(ErrorCode::kInvalidArgument, "not a token of this list", "page_token");
  place.dead_us = micros;
  place.name.set_alert_id(id);
  place.name.set_step(step);
  place.name.set_try_(attempt);
  return place;
}

std::vector<Value> NameOf(const v1::TryName& name) {
  return {name.alert_id(), std::to_string(name.step()), std::to_string(name.try_())};
}

Status CheckName(const v1::TryName& name) {
  if (!IsUuid(name.alert_id()))
    return Fail(ErrorCode::kInvalidArgument, "an alert's id is a UUID in lower case",
                "try.alert_id");
  constexpr std::uint32_t kMost = 1'000'000'000;
  if (name.step() == 0 || name.step() > kMost || name.try_() == 0 || name.try_() > kMost)
    return Fail(ErrorCode::kInvalidArgument, "step and try are 1 and up", "try");
  return {};
}

struct Letter {
  Decision decision;
  std::string reason;
  LetterState state = LetterState::kOpen;
};

// Locks the letter until the transaction's end.
Result<Letter> Lock(Transaction& transaction, const v1::TryName& name) {
  TOCSIN_TRY(const Rows rows, transaction.Query(R"(
    SELECT work, state, next_try, closed_us, closed_by, closed_why, forced, reason FROM tocsin.dead_letters
     WHERE alert_id = $1::uuid AND step = $2::integer AND try = $3::integer FOR UPDATE)",
                                                NameOf(name)));
  Letter letter;
  if (rows.size() == 0 || !letter.decision.work.ParseFromString(rows.Bytes(0, 0)))
    return Fail(ErrorCode::kNotFound, "no such dead letter");
  letter.state = static_cast<LetterState>(rows.Integer(0, 1));
  letter.decision.next_try = static_cast<std::uint32_t>(rows.Integer(0, 2));
  letter.decision.time = FromUnixMicros(rows.Integer(0, 3));
  letter.decision.operator_id = rows.Text(0, 4);
  letter.decision.why = rows.Text(0, 5);
  letter.decision.forced = rows.Boolean(0, 6);
  letter.reason = rows.Text(0, 7);
  return letter;
}

Status Close(Transaction& transaction, const v1::TryName& name, LetterState state,
             const Decision& decision) {
  std::vector<Value> parameters = NameOf(name);
  parameters.emplace_back(std::to_string(static_cast<int>(state)));
  parameters.emplace_back(decision.next_try == 0 ? Value()
                                                 : Value(std::to_string(decision.next_try)));
  parameters.emplace_back(std::to_string(ToUnixMicros(decision.time)));
  parameters.emplace_back(decision.operator_id);
  parameters.emplace_back(decision.why);
  parameters.emplace_back(decision.forced ? "t" : "f");
  TOCSIN_CHECK_OK(transaction.Query(R"(
    UPDATE tocsin.dead_letters
       SET state = $4::smallint, next_try = $5::integer, closed_us = $6::bigint, closed_by = $7, closed_why = $8,
           forced = $9::boolean
     WHERE alert_id = $1::uuid AND step = $2::integer AND try = $3::integer)",
                                    parameters));
  return {};
}

bool SaysInDoubt(std::string_view reason) { return reason == TraitsOf(ErrorCode::kInDoubt).name; }

// Twilio has it, or may have it.
bool MayHaveBeenSent(const Rows& tries, size_t i) {
  const auto status = static_cast<v1::TryStatus>(tries.Integer(i, 1));
  const bool on_its_way = status >= v1::TRY_STATUS_SENDING && status <= v1::TRY_STATUS_UNDELIVERED;
  return on_its_way || !tries.Text(i, 2).empty() || tries.Boolean(i, 3) ||
         SaysInDoubt(tries.Text(i, 4)) || status == v1::TRY_STATUS_SENT_UNCONFIRMED ||
         status == v1::TRY_STATUS_BUSY || status == v1::TRY_STATUS_NO_ANSWER;
}

Error MaySendTwice(std::uint32_t number) {
  return {.code = ErrorCode::kInDoubt,
          .message = "try " + std::to_string(number) +
                     " was sent, or may have been: another could reach the person twice"};
}

// The number of the try to be published. A row without an end does not count as folded: the QUEUED
// of a try that was published again makes one before anything is known of it.
Result<std::uint32_t> NextTry(Transaction& transaction, const v1::TryName& name,
                              std::string_view letter_reason, bool force) {
  if (!force && SaysInDoubt(letter_reason)) return Fail(MaySendTwice(name.try_()));
  TOCSIN_TRY(const Rows tries,
             transaction.Query("SELECT try, status, provider_sid, doubted, reason FROM tocsin.tries"
                               " WHERE alert_id = $1::uuid AND step = $2::integer",
                               {name.alert_id(), std::to_string(name.step())}));
  std::uint32_t newest = name.try_();
  bool folded = false;
  for (size_t i = 0; i < tries.size(); ++i) {
    const auto number = static_cast<std::uint32_t>(tries.Integer(i, 0));
    newest = std::max(newest, number);
    folded =
        folded || (number == name.try_() && IsEnd(static_cast<v1::TryStatus>(tries.Integer(i, 1))));
    if (!force && MayHaveBeenSent(tries, i)) return Fail(MaySendTwice(number));
  }
  if (!folded)
    return Fail(Error{.code = ErrorCode::kOverloaded,
                      .message = "what became of its try is not folded yet",
                      .retry_after = std::chrono::milliseconds(500)});
  return newest + 1;
}

v1::Event EventOf(const Decision& decision, const v1::TryName& name, const std::string& what) {
  const v1::WorkRecord& work = decision.work;
  v1::Event event;
  event.set_event_id(EventId(name, what));
  *event.mutable_try_() = name;
  event.set_client_id(work.client_id());
  event.set_class_(work.class_());
  event.set_channel(work.channel());
  event.set_time_us(ToUnixMicros(decision.time));
  *event.mutable_recipient() = work.recipient();
  return event;
}

OutgoingRecord RecordOf(std::string topic, const std::string& key,
                        const google::protobuf::Message& message) {
  OutgoingRecord record{std::move(topic), key, message.SerializeAsString(), {}};
  record.headers.emplace_back(kHeaderSchema, message.GetDescriptor()->full_name());
  return record;
}

v1::TryName NextName(const Decision& decision) {
  v1::TryName name = decision.work.try_();
  name.set_try_(decision.next_try);
  return name;
}

}  // namespace

Status InsertDeadLetters(Transaction& transaction, const std::vector<v1::DeadRecord>& letters) {
  if (letters.empty()) return {};
  std::map<std::string, const v1::DeadRecord*> sorted;  // locks are taken in one order
  for (const v1::DeadRecord& letter : letters)
    sorted.try_emplace(TryText(letter.work().try_()), &letter);
  RowArrays rows(kColumns, sorted.size());
  for (const auto& [name, letter] : sorted) {
    const v1::WorkRecord& work = letter->work();
    rows.Add(work.try_().alert_id()).Add(work.try_().step()).Add(work.try_().try_());
    rows.Add(work.client_id()).Add(static_cast<std::int64_t>(work.channel()));
    rows.Add(letter->reason()).Add(letter->explanation()).Add(letter->time_us());
    rows.Add(letter->position().topic()).Add(letter->position().partition());
    rows.Add(letter->position().offset()).AddHex(work.SerializeAsString());
  }
  TOCSIN_CHECK_OK(transaction.Query(kInsert, std::move(rows).Parameters()));
  return {};
}

Result<DeadLetterQuery> ParseListDeadLetters(const v1::ListDeadLettersRequest& request,
                                             const std::string& operator_id, Vault& vault) {
  DeadLetterQuery query;
  TOCSIN_TRY(query.rows, PageRows(request.page_size()));
  if (!v1::Channel_IsValid(request.channel()))
    return Fail(ErrorCode::kInvalidArgument, "has a value that is not in the list", "channel");
  query.channel = request.channel();
  if (request.reason().size() > kMaxReason)
    return Fail(ErrorCode::kInvalidArgument, "is no reason of the closed list", "reason");
  query.reason = request.reason();
  query.bound_to =
      "ListDeadLetters " + operator_id + ' ' + std::to_string(query.channel) + ' ' + query.reason;
  if (!request.page_token().empty()) {
    TOCSIN_TRY(const std::string place, OpenPageToken(vault, query.bound_to, request.page_token()));
    TOCSIN_TRY(query.after, PlaceOf(place));
  }
  return query;
}

Result<v1::ListDeadLettersResponse> ListDeadLetters(postgres::Session& session,
                                                    const DeadLetterQuery& query, Vault& vault) {
  std::string sql =
      "SELECT alert_id, step, try, client_id, reason, explanation, dead_us, topic, partition,"
      " record_offset FROM tocsin.dead_letters WHERE state = 0";
  std::vector<Value> parameters;
  const auto parameter = [&](std::string value) {
    parameters.emplace_back(std::move(value));
    return '$' + std::to_string(parameters.size());
  };
  if (query.channel != 0)
    sql += " AND channel = " + parameter(std::to_string(query.channel)) + "::smallint";
  if (!query.reason.empty()) sql += " AND reason = " + parameter(query.reason);
  if (query.after)
    sql += " AND (dead_us, alert_id, step, try) < (" +
           parameter(std::to_string(query.after->dead_us)) + "::bigint, " +
           parameter(query.after->name.alert_id()) + "::uuid, " +
           parameter(std::to_string(query.after->name.step())) + "::integer, " +
           parameter(std::to_string(query.after->name.try_())) + "::integer)";
  sql += " ORDER BY dead_us DESC, alert_id DESC, step DESC, try DESC LIMIT " +
         std::to_string(query.rows + 1);
  v1::ListDeadLettersResponse response;
  const Status read = session.Run([&](Transaction& transaction) -> Status {
    TOCSIN_TRY(const Rows rows, transaction.Query(sql, parameters));
    const size_t page = static_cast<size_t>(query.rows);
    for (size_t i = 0; i < std::min(rows.size(), page); ++i) {
      v1::DeadLetter& letter = *response.add_dead_letters();
      letter.mutable_try_()->set_alert_id(std::string(rows.Text(i, 0)));
      letter.mutable_try_()->set_step(static_cast<std::uint32_t>(rows.Integer(i, 1)));
      letter.mutable_try_()->set_try_(static_cast<std::uint32_t>(rows.Integer(i, 2)));
      letter.set_client_id(std::string(rows.Text(i, 3)));
      letter.set_reason(std::string(rows.Text(i, 4)));
      letter.set_explanation(std::string(rows.Text(i, 5)));
      SetTime(FromUnixMicros(rows.Integer(i, 6)), *letter.mutable_time());
      letter.mutable_position()->set_topic(std::string(rows.Text(i, 7)));
      letter.mutable_position()->set_partition(static_cast<std::int32_t>(rows.Integer(i, 8)));
      letter.mutable_position()->set_offset(rows.Integer(i, 9));
    }
    if (rows.size() > page)
      response.set_next_page_token(
          MakePageToken(vault, query.bound_to,
                        PlaceText(*response.dead_letters().rbegin(), rows.Integer(page - 1, 6))));
    return {};
  });
  TOCSIN_CHECK_OK(read);
  return response;
}

Result<Decision> DecideRedrive(postgres::Session& session, const v1::TryName& name, bool force,
                               const std::string& operator_id, WallTime now) {
  TOCSIN_CHECK_OK(CheckName(name));
  Decision decision;
  const Status decided = session.Run([&](Transaction& transaction) -> Status {
    TOCSIN_TRY(const Letter letter, Lock(transaction, name));
    if (letter.state == LetterState::kDropped)
      return Fail(ErrorCode::kNotFound, "the dead letter was dropped");
    decision = letter.decision;
    if (ToUnixMicros(now) >= decision.work.not_after_us())
      return Fail(ErrorCode::kExpired, "the time of its alert is over");
    if (letter.state == LetterState::kRedriven) return {};
    TOCSIN_TRY(decision.next_try, NextTry(transaction, name, letter.reason, force));
    decision.operator_id = operator_id;
    decision.time = now;
    decision.forced = force;
    return Close(transaction, name, LetterState::kRedriven, decision);
  });
  TOCSIN_CHECK_OK(decided);
  return decision;
}

Result<Decision> DecideDrop(postgres::Session& session, const v1::TryName& name,
                            const std::string& reason, const std::string& operator_id,
                            WallTime now) {
  TOCSIN_CHECK_OK(CheckName(name));
  if (reason.empty() || reason.size() > kMaxDropReason)
    return Fail(ErrorCode::kInvalidArgument, "a reason has 1 to 256 characters", "reason");
  Decision decision;
  const Status decided = session.Run([&](Transaction& transaction) -> Status {
    TOCSIN_TRY(const Letter letter, Lock(transaction, name));
    if (letter.state == LetterState::kRedriven)
      return Fail(ErrorCode::kNotFound, "the dead letter is closed: its next try was published");
    decision = letter.decision;
    if (letter.state == LetterState::kDropped) return {};
    decision.operator_id = operator_id;
    decision.time = now;
    decision.why = reason;
    return Close(transaction, name, LetterState::kDropped, decision);
  });
  TOCSIN_CHECK_OK(decided);
  return decision;
}

OutgoingRecord ActOf(const Decision& decision, const Topics& topics) {
  const bool dropped = decision.next_try == 0;
  const std::string act = dropped ? "drop" : decision.forced ? "redrive forced" : "redrive";
  v1::Event event = EventOf(decision, decision.work.try_(), "act:" + act);
  event.mutable_act_recorded()->set_actor(decision.operator_id);
  event.mutable_act_recorded()->set_act(act);
  event.mutable_act_recorded()->set_subject(
      TryText(decision.work.try_()) +
      (dropped ? ": " + decision.why : " as try " + std::to_string(decision.next_try)));
  return RecordOf(topics.Events(), decision.work.try_().alert_id(), event);
}

std::vector<OutgoingRecord> NextTryOf(const Decision& decision, const Topics& topics) {
  v1::WorkRecord work = decision.work;
  *work.mutable_try_() = NextName(decision);
  work.set_kind(v1::WORK_KIND_TRY);
  work.set_due_time_us(0);
  work.clear_slot();
  work.clear_acceptance();
  work.clear_doubt();
  v1::Budget& budget = *work.mutable_budget();
  budget.set_used(budget.used() + 1);
  budget.set_limit(std::max(budget.limit(), budget.used()));  // this one try is allowed
  v1::Event queued = EventOf(decision, work.try_(), v1::TryStatus_Name(v1::TRY_STATUS_QUEUED));
  queued.mutable_try_changed()->set_status(v1::TRY_STATUS_QUEUED);
  queued.mutable_try_changed()->set_sender(work.sender());
  queued.mutable_try_changed()->set_remark("published again by " + decision.operator_id +
                                           (decision.forced ? ", forced" : ""));
  std::vector<OutgoingRecord> records;
  records.push_back(RecordOf(topics.Events(), work.try_().alert_id(), queued));
  records.push_back(
      RecordOf(topics.Lane(work.channel(), work.class_()), work.try_().alert_id(), work));
  return records;
}

}  // namespace tocsin::audit
