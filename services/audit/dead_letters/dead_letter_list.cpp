#include "services/audit/dead_letters/dead_letter_list.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "common/base/time.h"
#include "services/audit/projection/tables.h"
#include "services/audit/query/alert_filter.h"
#include "services/audit/query/explanation.h"
#include "services/audit/query/page_token.h"
#include "services/audit/query/timeline.h"

namespace tocsin::audit {
namespace {

using postgres::Rows;
using postgres::Statement;
using postgres::Transaction;

constexpr size_t kMaxReason = 64;  // longer than any reason of the closed list

constexpr char kNewestFirst[] =
    " ORDER BY create_time_us DESC, alert_id DESC, step DESC, attempt DESC LIMIT ";

// time/alert/step/attempt
std::string CursorText(const DeadLetterRow& row) {
  return std::to_string(row.create_time_us) + '/' + row.alert_id + '/' + std::to_string(row.step) +
         '/' + std::to_string(row.attempt);
}

Result<DeadLetterFilter::Cursor> ParseCursor(const std::string& text) {
  DeadLetterFilter::Cursor cursor;
  char id[37] = {};
  int step = 0;
  int attempt = 0;
  long long micros = 0;
  if (std::sscanf(text.c_str(), "%lld/%36[0-9a-f-]/%d/%d", &micros, id, &step, &attempt) != 4)
    return Fail(InvalidPageToken());
  cursor.create_time_us = micros;
  cursor.attempt.set_alert_id(id);
  cursor.attempt.set_step(step);
  cursor.attempt.set_attempt(attempt);
  return cursor;
}

std::string TokenScope(const DeadLetterFilter& filter, const std::string& operator_id) {
  std::string scope = "ListDeadLetters " + operator_id + ' ' + std::to_string(filter.channel);
  for (const int state : filter.states) scope += ' ' + std::to_string(state);
  return scope + ' ' + filter.reason;
}

// The channels with a part of their own; 0: all in one part. An index by reason contains the
// matches of a channel in the order of the list.
std::vector<int> ChannelsOf(const DeadLetterFilter& filter) {
  if (filter.channel != 0 || filter.reason.empty()) return {filter.channel};
  std::vector<int> all;
  for (int each = v1::Channel_MIN + 1; each <= v1::Channel_MAX; ++each) all.push_back(each);
  return all;
}

// Appends the selection of the dead letters in one state and of one channel (0: all).
void AddPart(const DeadLetterFilter& filter, int state, int channel, Statement& statement) {
  const auto parameter = [&](std::string value) {
    statement.parameters.emplace_back(std::move(value));
    return '$' + std::to_string(statement.parameters.size());
  };
  std::string& sql = statement.sql;
  sql += SelectFrom(kDeadLetters) + " WHERE state = " + std::to_string(state);
  if (channel != 0) sql += " AND channel = " + parameter(std::to_string(channel)) + "::smallint";
  if (!filter.reason.empty()) sql += " AND reason = " + parameter(filter.reason);
  if (!filter.after) return;
  const v1::AttemptRef& last = filter.after->attempt;
  sql += " AND (create_time_us, alert_id, step, attempt) < (" +
         parameter(std::to_string(filter.after->create_time_us)) + "::bigint, " +
         parameter(last.alert_id()) + "::uuid, " + parameter(std::to_string(last.step())) +
         "::integer, " + parameter(std::to_string(last.attempt())) + "::integer)";
}

v1::DeadLetter MakeDeadLetter(const DeadLetterRow& row) {
  v1::DeadLetter letter;
  letter.mutable_attempt()->set_alert_id(row.alert_id);
  letter.mutable_attempt()->set_step(row.step);
  letter.mutable_attempt()->set_attempt(row.attempt);
  letter.set_client_id(row.client_id);
  letter.set_reason(row.reason);
  letter.set_explanation(Explain(row.provider_code, row.reason));
  SetTime(FromUnixMicros(row.create_time_us), *letter.mutable_create_time());
  letter.set_state(row.state);
  if (row.close_time_us) SetTime(FromUnixMicros(*row.close_time_us), *letter.mutable_close_time());
  letter.set_actor_id(row.actor_id);
  letter.set_discard_reason(row.discard_reason);
  return letter;
}

}  // namespace

Result<DeadLetterFilter> ParseListDeadLetters(const v1::ListDeadLettersRequest& request,
                                              const std::string& operator_id, Vault& vault) {
  DeadLetterFilter filter;
  TOCSIN_TRY(filter.page_size, ParsePageSize(request.page_size()));
  if (!v1::Channel_IsValid(request.channel()))
    return Fail(ErrorCode::kInvalidArgument, "unknown value", "channel");
  filter.channel = request.channel();
  if (request.reason().size() > kMaxReason)
    return Fail(ErrorCode::kInvalidArgument, "not a reason of the closed list", "reason");
  filter.reason = request.reason();
  for (const int state : request.states()) {
    if (state == v1::DEAD_LETTER_STATE_UNSPECIFIED || !v1::DeadLetterState_IsValid(state))
      return Fail(ErrorCode::kInvalidArgument, "unknown value", "states");
    filter.states.insert(state);
  }
  if (filter.states.empty()) filter.states = {v1::DEAD_LETTER_STATE_OPEN};
  filter.token_scope = TokenScope(filter, operator_id);
  if (!request.page_token().empty()) {
    TOCSIN_TRY(const std::string cursor,
               OpenPageToken(vault, filter.token_scope, request.page_token()));
    TOCSIN_TRY(filter.after, ParseCursor(cursor));
  }
  return filter;
}

// One part for each state and, by reason, for each channel: an index contains the matches of a part
// in the order of the list.
Statement SelectDeadLetters(const DeadLetterFilter& filter) {
  const std::string page = kNewestFirst + std::to_string(filter.page_size + 1);
  Statement statement;
  size_t parts = 0;
  for (const int state : filter.states)
    for (const int channel : ChannelsOf(filter)) {
      statement.sql += parts++ == 0 ? "(" : " UNION ALL (";
      AddPart(filter, state, channel, statement);
      statement.sql += page + ")";
    }
  if (parts > 1) statement.sql += page;
  return statement;
}

Result<v1::ListDeadLettersResponse> ListDeadLetters(postgres::Session& session,
                                                    const DeadLetterFilter& filter, Vault& vault) {
  v1::ListDeadLettersResponse response;
  const Status read = session.Run([&](Transaction& transaction) -> Status {
    const Statement statement = SelectDeadLetters(filter);
    TOCSIN_TRY(const Rows rows, transaction.Query(statement.sql, statement.parameters));
    const size_t page = std::min(rows.size(), static_cast<size_t>(filter.page_size));
    std::string last;
    for (size_t i = 0; i < page; ++i) {
      const DeadLetterRow row = ReadRow(kDeadLetters, rows, i);
      *response.add_dead_letters() = MakeDeadLetter(row);
      last = CursorText(row);
    }
    if (rows.size() > page)
      response.set_next_page_token(MakePageToken(vault, filter.token_scope, last));
    return {};
  });
  TOCSIN_CHECK_OK(read);
  return response;
}

}  // namespace tocsin::audit
