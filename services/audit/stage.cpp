#include "services/audit/stage.h"

#include <array>

namespace tocsin::audit {
namespace {

constexpr std::array<const char*, 5> kStaged{"facts", "alerts", "tries", "webhooks",
                                             "wrapped_keys"};

}  // namespace

std::string MakeStages() {
  std::string sql;
  for (const std::string name : kStaged)
    sql += "CREATE TEMPORARY TABLE stage_" + name + " (LIKE tocsin." + name +
           " INCLUDING DEFAULTS) ON COMMIT DELETE ROWS;";
  return sql;
}

Result<postgres::Rows> Merge(postgres::Transaction& transaction, const StagedTable& table,
                             const std::function<void(postgres::CopyRows&)>& add) {
  const std::string name = table.name;
  const std::string columns = table.columns;
  // The same transaction may have filled it before.
  TOCSIN_CHECK_OK(transaction.Query("DELETE FROM stage_" + name));
  TOCSIN_CHECK_OK(transaction.Copy("stage_" + name + " (" + columns + ')', add));
  return transaction.Query("INSERT INTO tocsin." + name + " (" + columns + ") SELECT " + columns +
                           " FROM stage_" + name + ' ' + table.conflict);
}

}  // namespace tocsin::audit
