// Lists a client's alerts by filter, newest first, in pages.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "common/ports/vault.h"
#include "common/postgres/session.h"
#include "tocsin/v1/status_service.pb.h"

namespace tocsin::audit {

constexpr int kDefaultPage = 50;
constexpr int kMaxPage = 1'000;  // rows; with their labels about 2.5 MB
constexpr int kMaxLabelFilters = 16;

// Rows of a page for a caller who asked for `page_size`. kInvalidArgument when it is negative.
Result<int> PageRows(std::int32_t page_size);

// One page of ListAlerts, checked. The recipient's number ends here: only its token is asked for.
struct AlertQuery {
  std::string client_id;
  int rows = kDefaultPage;
  std::set<int> states;   // empty: all
  std::set<int> classes;  // empty: all
  int channel = 0;        // 0: any
  std::string labels_json;
  std::string token;                           // 32 bytes, or empty
  std::optional<std::int64_t> accepted_from;   // microseconds of UTC
  std::optional<std::int64_t> accepted_until;  // not included
  // The last row of the page before.
  struct Place {
    std::int64_t accepted_us = 0;
    std::string alert_id;
  };
  std::optional<Place> after;
  std::string bound_to;  // what a page token of this list is bound to
};

// Pure but for the vault's keys. kInvalidArgument or kInvalidPhoneFormat, naming the field.
Result<AlertQuery> ParseListAlerts(const v1::ListAlertsRequest& request,
                                   const std::string& client_id, Vault& vault);

// Blocks for one statement. Alerts whose acceptance is folded, without tries and timeline.
Result<v1::ListAlertsResponse> ListAlerts(postgres::Session& session, const AlertQuery& query,
                                          Vault& vault);

// What it asks, for EXPLAIN.
postgres::Statement SelectAlerts(const AlertQuery& query);

}  // namespace tocsin::audit
