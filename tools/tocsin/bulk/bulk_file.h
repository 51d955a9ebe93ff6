// A file of alerts: CSV (RFC 4180, with a header line) or JSON lines. The complete file is read and
// validated before an alert is sent.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "tocsin/v1/alert_service.pb.h"

namespace tocsin::cli {

constexpr size_t kMaxBulkBytes = 256u << 20;
constexpr size_t kMaxBulkRows = 1'000'000;

enum class BulkFormat { kCsv, kJsonLines };

struct BulkRow {
  size_t line = 0;  // its first line, from 1
  v1::EnqueueRequest request;
};

// An error of the file. Contains no values, and names of columns only if they look like names.
struct BulkError {
  size_t line = 0;     // 0: the file as a whole
  std::string column;  // "text", or "column 3" if its name may be a value; empty: the whole line
  std::string reason;
};

struct BulkFile {
  std::vector<BulkRow> rows;
  std::vector<BulkError> errors;  // by line
  std::string id;                 // derived from the content: 16 hex digits
};

// Columns and fields: to, text, priority, channel, sender_id, send_time, expire_time,
// idempotency_key, label.NAME (in JSON also an object `labels`). The old names class, sender,
// send_at and expires_at are accepted. Empty fields are taken from `defaults`. A row without an
// idempotency key gets one from the id of the file and its line, so that sending the file again
// repeats no alert. Reports each row that the service would refuse by the request alone; checks its
// times only if `now` is given. Pure.
BulkFile ParseBulk(std::string_view content, BulkFormat format, const v1::EnqueueRequest& defaults,
                   std::optional<WallTime> now);

// The rows of a CSV text. An unclosed quote is an error of its line.
struct CsvLine {
  size_t line = 0;
  std::vector<std::string> fields;
};
std::vector<CsvLine> ParseCsv(std::string_view content, std::vector<BulkError>& errors);

}  // namespace tocsin::cli
