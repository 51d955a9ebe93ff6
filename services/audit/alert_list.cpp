#include "services/audit/alert_list.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "common/base/digest.h"
#include "common/base/encoding.h"
#include "common/base/time.h"
#include "common/base/uuid.h"
#include "common/domain/folding.h"
#include "services/audit/alert_reader.h"
#include "services/audit/intake.h"
#include "services/audit/page_token.h"

namespace tocsin::audit {
namespace {

using postgres::Rows;
using postgres::Statement;
using postgres::Transaction;

// An id holds the instant of its acceptance, or the begin of that day (UTC) when it has a key.
// Bounds on it leave the other months' partitions untouched.
constexpr std::chrono::hours kIdLag{25};

constexpr size_t kPlaceBytes = 24;  // accepted_us (8, big endian) and the id (16)

std::string PlaceBytes(const AlertQuery::Place& place) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8)
    bytes += static_cast<char>(static_cast<std::uint64_t>(place.accepted_us) >> shift);
  return bytes + UuidToBytes(place.alert_id).value_or(std::string(16, '\0'));
}

AlertQuery::Place PlaceOf(std::string_view bytes) {
  std::uint64_t micros = 0;
  for (const char c : bytes.substr(0, 8)) micros = micros << 8 | static_cast<unsigned char>(c);
  return {static_cast<std::int64_t>(micros), UuidFromBytes(bytes.substr(8))};
}

// The same bytes for the same filter, whatever page is asked for.
std::string BoundTo(const v1::ListAlertsRequest& request, const std::string& client_id) {
  v1::ListAlertsRequest filter = request;
  filter.clear_page_size();
  filter.clear_page_token();
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);  // labels are a map
    filter.SerializeToCodedStream(&coded);
  }
  return "ListAlerts " + client_id + ' ' + Sha256(bytes);
}

Result<std::int64_t> ParseTime(const google::protobuf::Timestamp& time, const char* field) {
  constexpr std::int64_t kLastSecond = 253'402'300'799;  // of the year 9999
  if (time.seconds() < 0 || time.seconds() > kLastSecond || time.nanos() < 0 ||
      time.nanos() > 999'999'999)
    return Fail(ErrorCode::kInvalidArgument, "a time is from 1970 to 9999", field);
  return time.seconds() * 1'000'000 + time.nanos() / 1'000;
}

template <typename Valid>
Result<std::set<int>> ParseSet(const google::protobuf::RepeatedField<int>& given, Valid valid,
                               const char* field) {
  std::set<int> values;
  for (const int value : given) {
    if (value == 0 || !valid(value))
      return Fail(ErrorCode::kInvalidArgument, "has a value that is not in the list", field);
    values.insert(value);
  }
  return values;
}

std::string NumberArray(const std::set<int>& numbers) {
  std::string text = "{";
  for (const int number : numbers) text += (text.size() > 1 ? "," : "") + std::to_string(number);
  return text + "}";
}

std::string FirstIdAt(std::int64_t micros) {
  const WallTime time = FromUnixMicros(std::max<std::int64_t>(micros, 0));
  return FirstUuidAt(std::chrono::floor<std::chrono::milliseconds>(time));
}

// Adds conditions, numbering their parameters.
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

// `outcome` is the state of alerts that ended and NULL for the others, so that changes on the way
// touch no index of it.
void AddStates(const std::set<int>& states, Conditions& conditions) {
  if (states.empty()) return;
  const auto ended = std::count_if(states.begin(), states.end(), [](int state) {
    return IsEnd(static_cast<v1::AlertState>(state));
  });
  if (ended == static_cast<std::ptrdiff_t>(states.size())) {
    if (states.size() == 1)
      conditions.Add("outcome = ", std::to_string(*states.begin()), "::smallint");
    else
      conditions.Add("outcome = ANY (", NumberArray(states), "::smallint[])");
    if (!states.contains(v1::ALERT_STATE_DELIVERED)) conditions.Add("outcome <> 4");
    return;
  }
  if (ended == 0) conditions.Add("ended_us IS NULL");
  conditions.Add("state = ANY (", NumberArray(states), "::smallint[])");
}

void AddTimes(const AlertQuery& query, Conditions& conditions) {
  const std::int64_t lag = Micros(kIdLag).count();
  if (query.accepted_from) {
    conditions.Add("accepted_us >= ", std::to_string(*query.accepted_from), "::bigint");
    conditions.Add("alert_id >= ", FirstIdAt(*query.accepted_from - lag), "::uuid");
  }
  if (query.accepted_until)
    conditions.Add("accepted_us < ", std::to_string(*query.accepted_until), "::bigint");
  std::optional<std::int64_t> newest = query.accepted_until;
  if (query.after)
    newest = std::min(newest.value_or(query.after->accepted_us), query.after->accepted_us);
  if (newest) conditions.Add("alert_id < ", FirstIdAt(*newest + lag), "::uuid");
}

// Those who are under way and those who ended stand in indexes of their own.
std::vector<std::set<int>> StatesByIndex(const std::set<int>& states) {
  std::set<int> open;
  std::set<int> ended;
  for (const int state : states)
    (IsEnd(static_cast<v1::AlertState>(state)) ? ended : open).insert(state);
  if (open.empty() || ended.empty()) return {states};
  return {open, ended};
}

// What was not asked for is all there is.
std::vector<int> ClassesOf(const AlertQuery& query) {
  if (!query.classes.empty()) return {query.classes.begin(), query.classes.end()};
  std::vector<int> all;
  for (int each = v1::AlertClass_MIN + 1; each <= v1::AlertClass_MAX; ++each) all.push_back(each);
  return all;
}

std::vector<int> ChannelsOf(const AlertQuery& query) {
  if (query.channel != 0) return {query.channel};
  std::vector<int> all;
  for (int each = v1::Channel_MIN + 1; each <= v1::Channel_MAX; ++each) all.push_back(each);
  return all;
}

// The query as parts of which each has an index that holds its answer in the order of the list: the
// rare ones among many are found without walking through the others. What a person or a label
// leaves is little, and is not divided.
std::vector<AlertQuery> PartsOf(const AlertQuery& query) {
  if (!query.token.empty() || !query.labels_json.empty()) return {query};
  std::vector<AlertQuery> parts;
  const auto add = [&](std::set<int> classes, int channel) {
    for (std::set<int>& states : StatesByIndex(query.states)) {
      parts.push_back(query);
      parts.back().states = std::move(states);
      parts.back().classes = classes;
      parts.back().channel = channel;
    }
  };
  if (query.classes.empty() && query.channel == 0) {
    add({}, 0);
    return parts;
  }
  for (const int each_class : ClassesOf(query))
    for (const int channel : ChannelsOf(query)) add({each_class}, channel);
  return parts;
}

// Its conditions, with parameters of its own.
void AddPart(const AlertQuery& query, Statement& statement) {
  statement.sql += SelectOfAlerts() + " WHERE accepted_us IS NOT NULL";
  Conditions conditions(statement);
  conditions.Add("client_id = ", query.client_id);
  AddStates(query.states, conditions);
  if (query.classes.size() == 1)
    conditions.Add("class = ", std::to_string(*query.classes.begin()), "::smallint");
  else if (!query.classes.empty())
    conditions.Add("class = ANY (", NumberArray(query.classes), "::smallint[])");
  if (query.channel != 0) conditions.Add("channel = ", std::to_string(query.channel), "::smallint");
  if (!query.labels_json.empty()) {
    conditions.Add("labels @> ", query.labels_json, "::jsonb");
    conditions.Add("labels <> '{}'::jsonb");  // the index holds labelled alerts only
  }
  if (!query.token.empty())
    conditions.Add("token = decode(", HexEncode(query.token), "::text, 'hex')");
  AddTimes(query, conditions);
  if (!query.after) return;
  conditions.Add("(accepted_us, alert_id) < (", std::to_string(query.after->accepted_us),
                 "::bigint, '" + query.after->alert_id + "'::uuid)");
}

}  // namespace

Result<int> PageRows(std::int32_t page_size) {
  if (page_size < 0)
    return Fail(ErrorCode::kInvalidArgument, "a page has 1 to 1000 rows", "page_size");
  return page_size == 0 ? kDefaultPage : std::min<int>(page_size, kMaxPage);
}

Result<AlertQuery> ParseListAlerts(const v1::ListAlertsRequest& request,
                                   const std::string& client_id, Vault& vault) {
  AlertQuery query;
  query.client_id = client_id;
  TOCSIN_TRY(query.rows, PageRows(request.page_size()));
  TOCSIN_TRY(query.states, ParseSet(request.states(), v1::AlertState_IsValid, "states"));
  TOCSIN_TRY(query.classes, ParseSet(request.classes(), v1::AlertClass_IsValid, "classes"));
  if (!v1::Channel_IsValid(request.channel()))
    return Fail(ErrorCode::kInvalidArgument, "has a value that is not in the list", "channel");
  query.channel = request.channel();
  if (request.labels_size() > kMaxLabelFilters)
    return Fail(ErrorCode::kTooManyItems, "at most 16 labels", "labels");
  if (request.labels_size() > 0) query.labels_json = LabelsJson(request.labels());
  if (request.has_accepted_after()) {
    TOCSIN_TRY(query.accepted_from, ParseTime(request.accepted_after(), "accepted_after"));
  }
  if (request.has_accepted_before()) {
    TOCSIN_TRY(query.accepted_until, ParseTime(request.accepted_before(), "accepted_before"));
  }
  if (!request.recipient().empty()) {
    auto phone = Phone::Parse(request.recipient());
    if (!phone) return Fail(phone.error().code, phone.error().message, "recipient");
    query.token = vault.Refer(*phone).token();
  }
  query.bound_to = BoundTo(request, client_id);
  if (!request.page_token().empty()) {
    TOCSIN_TRY(const std::string place, OpenPageToken(vault, query.bound_to, request.page_token()));
    if (place.size() != kPlaceBytes)
      return Fail(ErrorCode::kInvalidArgument, "not a token of this list", "page_token");
    query.after = PlaceOf(place);
  }
  return query;
}

Statement SelectAlerts(const AlertQuery& query) {
  const std::string page = " ORDER BY accepted_us DESC, alert_id DESC LIMIT " +
                           std::to_string(query.rows + 1);  // the last one shows that there is more
  const std::vector<AlertQuery> parts = PartsOf(query);
  Statement statement;
  for (const AlertQuery& part : parts) {
    statement.sql += statement.sql.empty() ? "(" : " UNION ALL (";
    AddPart(part, statement);
    statement.sql += page + ")";
  }
  if (parts.size() > 1) statement.sql += page;
  return statement;
}

Result<v1::ListAlertsResponse> ListAlerts(postgres::Session& session, const AlertQuery& query,
                                          Vault& vault) {
  v1::ListAlertsResponse response;
  const Status read = session.Run([&](Transaction& transaction) -> Status {
    const Statement statement = SelectAlerts(query);
    TOCSIN_TRY(const Rows rows, transaction.Query(statement.sql, statement.parameters));
    const size_t page = static_cast<size_t>(query.rows);
    for (size_t i = 0; i < std::min(rows.size(), page); ++i)
      FillAlert(rows, i, *response.add_alerts());
    if (rows.size() <= page) return {};
    const AlertQuery::Place last = {AcceptedMicros(rows, page - 1),
                                    response.alerts().rbegin()->alert_id()};
    response.set_next_page_token(MakePageToken(vault, query.bound_to, PlaceBytes(last)));
    return {};
  });
  TOCSIN_CHECK_OK(read);
  return response;
}

}  // namespace tocsin::audit
