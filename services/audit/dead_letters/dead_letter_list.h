// Lists dead letters by filter, newest first, in pages.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "common/base/result.h"
#include "common/ports/vault.h"
#include "common/postgres/session.h"
#include "tocsin/v1/admin_service.pb.h"

namespace tocsin::audit {

// One page of ListDeadLetters, checked.
struct DeadLetterFilter {
  int page_size = 0;
  int channel = 0;       // 0: all
  std::string reason;    // empty: all
  std::set<int> states;  // at least one

  // The last dead letter of the previous page.
  struct Cursor {
    std::int64_t create_time_us = 0;
    v1::AttemptRef attempt;
  };
  std::optional<Cursor> after;
  std::string token_scope;  // what a page token of this list is bound to
};

// Pure except for the vault's keys. Fails with kInvalidArgument, naming the field.
Result<DeadLetterFilter> ParseListDeadLetters(const v1::ListDeadLettersRequest& request,
                                              const std::string& operator_id, Vault& vault);

// Blocks for one statement.
Result<v1::ListDeadLettersResponse> ListDeadLetters(postgres::Session& session,
                                                    const DeadLetterFilter& filter, Vault& vault);

// The statement of ListDeadLetters(), also for EXPLAIN.
postgres::Statement SelectDeadLetters(const DeadLetterFilter& filter);

}  // namespace tocsin::audit
