// The request of ListAlerts, checked.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "common/ports/vault.h"
#include "tocsin/v1/status_service.pb.h"

namespace tocsin::audit {

constexpr int kDefaultPageSize = 50;
constexpr int kMaxPageSize = 1'000;  // about 2.5 MB with labels
constexpr int kMaxLabelFilters = 16;

// The rows of a page. Fails with kInvalidArgument if `page_size` is negative.
Result<int> ParsePageSize(std::int32_t page_size);

// A half-open range of microseconds of UTC.
struct TimeRange {
  std::optional<std::int64_t> min;
  std::optional<std::int64_t> max;  // excluded
};

// One page of ListAlerts. The recipient's number is replaced by its token here.
struct AlertFilter {
  std::string client_id;
  int page_size = kDefaultPageSize;
  std::set<int> states;      // empty: all
  std::set<int> priorities;  // empty: all
  int channel = 0;           // 0: any
  std::string labels_json;
  std::string token;  // 32 bytes, or empty
  TimeRange create_time;
  TimeRange expire_time;

  // The last alert of the previous page.
  struct Cursor {
    std::int64_t create_time_us = 0;
    std::string alert_id;
  };
  std::optional<Cursor> after;
  std::string token_scope;  // what a page token of this list is bound to
};

// Pure except for the vault's keys. Fails with kInvalidArgument, kInvalidPhoneFormat or
// kTooManyItems, naming the field.
Result<AlertFilter> ParseListAlerts(const v1::ListAlertsRequest& request,
                                    const std::string& client_id, Vault& vault);

std::string MakeNextPageToken(const AlertFilter& filter, const AlertFilter::Cursor& last,
                              Vault& vault);

}  // namespace tocsin::audit
