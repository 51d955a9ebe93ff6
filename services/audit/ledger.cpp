#include "services/audit/ledger.h"

#include <algorithm>
#include <cctype>

#include "common/base/uuid.h"
#include "tocsin/v1/types.pb.h"

namespace tocsin::audit {
namespace {

using postgres::Rows;
using postgres::Transaction;

// An id holds the instant of its acceptance, or the begin of that day (UTC).
constexpr std::chrono::hours kIdLag{25};

std::string NameOf(v1::AlertState state) {
  std::string name = v1::AlertState_Name(state).substr(std::string("ALERT_STATE_").size());
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

std::string FirstIdAt(WallTime time) {
  return FirstUuidAt(std::chrono::floor<std::chrono::milliseconds>(time));
}

}  // namespace

std::vector<std::string> LedgerStates() {
  std::vector<std::string> names;
  for (int state = v1::AlertState_MIN + 1; state <= v1::AlertState_MAX; ++state)
    names.push_back(NameOf(static_cast<v1::AlertState>(state)));
  return names;
}

Result<LedgerCount> CountLedger(postgres::Session& session, WallTime now) {
  LedgerCount count;
  const Status read = session.Run([&](Transaction& transaction) -> Status {
    TOCSIN_TRY(const Rows states,
               transaction.Query(R"(
      SELECT state, count(*), count(*) FILTER (WHERE (ended_us IS NULL) <> (state <= 3) OR
                                                     outcome IS DISTINCT FROM CASE WHEN state > 3 THEN state END)
        FROM tocsin.alerts WHERE alert_id >= $1::uuid AND accepted_us >= $2::bigint GROUP BY state)",
                                 {FirstIdAt(now - kLedgerSpan - kIdLag),
                                  std::to_string(ToUnixMicros(now - kLedgerSpan))}));
    for (size_t i = 0; i < states.size(); ++i) {
      const auto state = static_cast<int>(states.Integer(i, 0));
      count.difference += states.Integer(i, 2);
      if (state > v1::AlertState_MIN && state <= v1::AlertState_MAX)
        count.alerts[NameOf(static_cast<v1::AlertState>(state))] = states.Integer(i, 1);
      else
        count.difference += states.Integer(i, 1);
    }
    TOCSIN_TRY(const Rows unaccepted,
               transaction.Query("SELECT count(*) FROM tocsin.alerts WHERE alert_id >= $1::uuid"
                                 " AND accepted_us IS NULL AND updated_us < $2::bigint",
                                 {FirstIdAt(now - kLedgerSpan - kIdLag),
                                  std::to_string(ToUnixMicros(now - kAcceptanceGrace))}));
    count.difference += unaccepted.Integer(0, 0);
    TOCSIN_TRY(const Rows overdue,
               transaction.Query("SELECT count(*) FROM tocsin.alerts"
                                 " WHERE ended_us IS NULL AND not_after_us < $1::bigint",
                                 {std::to_string(ToUnixMicros(now - kOverdueGrace))}));
    count.overdue = overdue.Integer(0, 0);
    return {};
  });
  TOCSIN_CHECK_OK(read);
  return count;
}

}  // namespace tocsin::audit
