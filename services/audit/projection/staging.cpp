#include "services/audit/projection/staging.h"

namespace tocsin::audit {

std::string CreateStagingTables(const std::vector<std::string_view>& tables) {
  std::string sql;
  for (const std::string_view table : tables) {
    const std::string name(table);
    sql += "CREATE TEMPORARY TABLE staging_" + name + " (LIKE tocsin." + name +
           " INCLUDING DEFAULTS) ON COMMIT DELETE ROWS;";
  }
  return sql;
}

Result<postgres::Rows> staging::Run(postgres::Transaction& transaction, std::string_view table,
                                    const std::string& columns, const std::string& conflict,
                                    const std::function<void(postgres::CopyRows&)>& add) {
  const std::string name(table);
  // The same transaction may have filled it before.
  TOCSIN_CHECK_OK(transaction.Query("DELETE FROM staging_" + name));
  TOCSIN_CHECK_OK(transaction.Copy("staging_" + name + " (" + columns + ')', add));
  return transaction.Query("INSERT INTO tocsin." + name + " (" + columns + ") SELECT " + columns +
                           " FROM staging_" + name + ' ' + conflict);
}

}  // namespace tocsin::audit
