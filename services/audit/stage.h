// The way of many rows into a table: by COPY into a temporary table of the session, and from there
// by one statement that keeps what is there already.
#pragma once

#include <functional>
#include <string>

#include "common/base/result.h"
#include "common/postgres/session.h"

namespace tocsin::audit {

struct StagedTable {
  const char* name;      // "facts": tocsin.facts, staged in stage_facts
  const char* columns;   // "a, b, c": as the rows have them
  const char* conflict;  // "ON CONFLICT … RETURNING …": what becomes of rows whose key is there
};

// For postgres::Options::at_connect of sessions that call Merge(): an empty copy of each table.
// They are emptied with each commit.
std::string MakeStages();

// Brings the rows that `add` gives into their table, in their order, and gives what the statement
// returns. Blocks for three statements.
Result<postgres::Rows> Merge(postgres::Transaction& transaction, const StagedTable& table,
                             const std::function<void(postgres::CopyRows&)>& add);

}  // namespace tocsin::audit
