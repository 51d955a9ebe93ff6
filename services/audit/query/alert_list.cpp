#include "services/audit/query/alert_list.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/base/encoding.h"
#include "common/base/time.h"
#include "common/domain/alert/alert_projection.h"
#include "common/domain/alert/request_rules.h"
#include "services/audit/projection/tables.h"
#include "services/audit/query/alert_reader.h"
#include "services/audit/query/id_range.h"

namespace tocsin::audit {
namespace {

using postgres::Rows;
using postgres::Statement;
using postgres::Transaction;

constexpr char kNewestFirst[] = " ORDER BY create_time_us DESC, alert_id DESC LIMIT ";

// Appends conditions to a statement and numbers their parameters.
class Conditions {
 public:
  explicit Conditions(Statement& statement) : statement_(statement) {}

  void Add(const std::string& before, std::string value, const std::string& after = "") {
    statement_.parameters.emplace_back(std::move(value));
    statement_.sql += " AND " + before + '$' + std::to_string(statement_.parameters.size()) + after;
  }
  void Add(const std::string& condition) { statement_.sql += " AND " + condition; }

 private:
  Statement& statement_;
};

std::string NumberArray(const std::set<int>& numbers) {
  std::string text = "{";
  for (const int number : numbers) text += (text.size() > 1 ? "," : "") + std::to_string(number);
  return text + "}";
}

bool IsFinal(int state) { return IsEnd(static_cast<v1::AlertState>(state)); }

// The states given are not final.
bool InProgressOnly(const std::set<int>& states) {
  return !states.empty() && std::ranges::none_of(states, IsFinal);
}

void AddStates(const std::set<int>& states, Conditions& conditions) {
  if (states.empty()) return;
  if (std::ranges::all_of(states, IsFinal)) {
    if (states.size() == 1)
      conditions.Add("outcome = ", std::to_string(*states.begin()), "::smallint");
    else
      conditions.Add("outcome = ANY (", NumberArray(states), "::smallint[])");
    if (!states.contains(v1::ALERT_STATE_DELIVERED)) conditions.Add("outcome <> 4");
    return;
  }
  if (InProgressOnly(states)) conditions.Add("end_time_us IS NULL");
  conditions.Add("state = ANY (", NumberArray(states), "::smallint[])");
}

void AddRange(const std::string& column, const TimeRange& range, Conditions& conditions) {
  if (range.min) conditions.Add(column + " >= ", std::to_string(*range.min), "::bigint");
  if (range.max) conditions.Add(column + " < ", std::to_string(*range.max), "::bigint");
}

std::optional<std::int64_t> Later(std::optional<std::int64_t> a, std::optional<std::int64_t> b) {
  return a && b ? std::max(*a, *b) : a ? a : b;
}
std::optional<std::int64_t> Earlier(std::optional<std::int64_t> a, std::optional<std::int64_t> b) {
  return a && b ? std::min(*a, *b) : a ? a : b;
}

// An alert expires after it was accepted, at most kMaxTimeAhead later: a range of expire times
// implies a range of create times. A day is for clocks that differ.
TimeRange ImpliedCreateTime(const AlertFilter& filter) {
  constexpr std::int64_t kLongest = Micros(kMaxTimeAhead + std::chrono::hours(24)).count();
  TimeRange range = filter.create_time;
  if (filter.expire_time.min) range.min = Later(range.min, *filter.expire_time.min - kLongest);
  range.max = Earlier(range.max, filter.expire_time.max);
  return range;
}

void AddTimes(const AlertFilter& filter, Conditions& conditions) {
  AddRange("expire_time_us", filter.expire_time, conditions);
  const TimeRange create_time = ImpliedCreateTime(filter);
  AddRange("create_time_us", create_time, conditions);
  if (create_time.min)
    conditions.Add("alert_id >= ", LowestIdSince(FromUnixMicros(*create_time.min)), "::uuid");
  std::optional<std::int64_t> newest = create_time.max;
  if (filter.after) newest = Earlier(newest, filter.after->create_time_us);
  if (newest) conditions.Add("alert_id < ", IdAfter(FromUnixMicros(*newest)), "::uuid");
}

// Alerts in progress and final ones have different indexes.
std::vector<std::set<int>> StatesByIndex(const std::set<int>& states) {
  std::set<int> in_progress;
  std::set<int> final;
  for (const int state : states) (IsFinal(state) ? final : in_progress).insert(state);
  if (in_progress.empty() || final.empty()) return {states};
  return {in_progress, final};
}

// The given priorities, or all.
std::vector<int> PrioritiesOf(const AlertFilter& filter) {
  if (!filter.priorities.empty()) return {filter.priorities.begin(), filter.priorities.end()};
  std::vector<int> all;
  for (int each = v1::Priority_MIN + 1; each <= v1::Priority_MAX; ++each) all.push_back(each);
  return all;
}

std::vector<int> ChannelsOf(const AlertFilter& filter) {
  if (filter.channel != 0) return {filter.channel};
  std::vector<int> all;
  for (int each = v1::Channel_MIN + 1; each <= v1::Channel_MAX; ++each) all.push_back(each);
  return all;
}

// Whether the index of expire times of alerts in progress finds the matches.
bool IsByExpireTime(const AlertFilter& filter) {
  return (filter.expire_time.min || filter.expire_time.max) && InProgressOnly(filter.states);
}

// Divides the filter into parts with an index each that contains the matches in the order of the
// list, so that rare matches are found without reading the others. A filter by recipient or label
// has few matches and is not divided.
std::vector<AlertFilter> DivideByState(const AlertFilter& filter) {
  if (!filter.token.empty() || !filter.labels_json.empty()) return {filter};
  std::vector<AlertFilter> parts;
  for (std::set<int>& states : StatesByIndex(filter.states)) {
    parts.push_back(filter);
    parts.back().states = std::move(states);
  }
  return parts;
}

std::vector<AlertFilter> Divide(const AlertFilter& filter) {
  std::vector<AlertFilter> parts;
  for (AlertFilter& part : DivideByState(filter)) {
    const bool whole = !part.token.empty() || !part.labels_json.empty() || IsByExpireTime(part) ||
                       (part.priorities.empty() && part.channel == 0);
    if (whole) {
      parts.push_back(std::move(part));
      continue;
    }
    for (const int priority : PrioritiesOf(part))
      for (const int channel : ChannelsOf(part)) {
        parts.push_back(part);
        parts.back().priorities = {priority};
        parts.back().channel = channel;
      }
  }
  return parts;
}

// Appends the selection of one part, with its own parameters.
void AddPart(const AlertFilter& filter, Statement& statement) {
  statement.sql += SelectFrom(kAlerts) + " WHERE create_time_us IS NOT NULL";
  Conditions conditions(statement);
  conditions.Add("client_id = ", filter.client_id);
  AddStates(filter.states, conditions);
  if (filter.priorities.size() == 1)
    conditions.Add("priority = ", std::to_string(*filter.priorities.begin()), "::smallint");
  else if (!filter.priorities.empty())
    conditions.Add("priority = ANY (", NumberArray(filter.priorities), "::smallint[])");
  if (filter.channel != 0)
    conditions.Add("channel = ", std::to_string(filter.channel), "::smallint");
  if (!filter.labels_json.empty()) {
    conditions.Add("labels @> ", filter.labels_json, "::jsonb");
    conditions.Add("labels <> '{}'::jsonb");  // the index contains labelled alerts only
  }
  if (!filter.token.empty())
    conditions.Add("token = decode(", HexEncode(filter.token), "::text, 'hex')");
  AddTimes(filter, conditions);
  if (!filter.after) return;
  conditions.Add("(create_time_us, alert_id) < (", std::to_string(filter.after->create_time_us),
                 "::bigint, '" + filter.after->alert_id + "'::uuid)");
}

}  // namespace

Statement SelectAlerts(const AlertFilter& filter) {
  // One row more than the page shows whether there is another page.
  const std::string page = kNewestFirst + std::to_string(filter.page_size + 1);
  const std::vector<AlertFilter> parts = Divide(filter);
  Statement statement;
  for (const AlertFilter& part : parts) {
    statement.sql += statement.sql.empty() ? "(" : " UNION ALL (";
    // Without MATERIALIZED the planner could read an index in the order of the list, past all
    // alerts in progress that do not match.
    const bool materialized = IsByExpireTime(part);
    if (materialized) statement.sql += "WITH matches AS MATERIALIZED (";
    AddPart(part, statement);
    if (materialized) statement.sql += ") SELECT * FROM matches";
    statement.sql += page + ")";
  }
  if (parts.size() > 1) statement.sql += page;
  return statement;
}

Result<v1::ListAlertsResponse> ListAlerts(postgres::Session& session, const AlertFilter& filter,
                                          Vault& vault) {
  v1::ListAlertsResponse response;
  const Status read = session.Run([&](Transaction& transaction) -> Status {
    const Statement statement = SelectAlerts(filter);
    TOCSIN_TRY(const Rows rows, transaction.Query(statement.sql, statement.parameters));
    const size_t page = std::min(rows.size(), static_cast<size_t>(filter.page_size));
    AlertFilter::Cursor last;
    for (size_t i = 0; i < page; ++i) {
      const AlertRow row = ReadRow(kAlerts, rows, i);
      *response.add_alerts() = MakeAlert(row);
      last = {row.terms.create_time_us.value_or(0), row.alert_id};
    }
    if (rows.size() > page) response.set_next_page_token(MakeNextPageToken(filter, last, vault));
    return {};
  });
  TOCSIN_CHECK_OK(read);
  return response;
}

}  // namespace tocsin::audit
