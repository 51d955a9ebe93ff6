// A file of alerts: CSV (RFC 4180, a line of names first) or JSON lines. All of it is read and
// checked before anything is sent.
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
  size_t line = 0;  // where it begins, from 1
  v1::EnqueueRequest request;
};

// One thing wrong. Free of the file's values: lines and names of columns only, and of these only
// what looks like a name.
struct BulkFault {
  size_t line = 0;     // 0: the file as a whole
  std::string column;  // "text", or "column 3" when its name cannot be told; empty: the whole line
  std::string reason;
};

struct BulkFile {
  std::vector<BulkRow> rows;
  std::vector<BulkFault> faults;  // in order of lines
  std::string name;               // of this content: 16 hex digits
};

// Columns and fields: to, text, class, channel, sender, send_at, expires_at, idempotency_key, and
// label.NAME (in JSON: labels, an object). What a row leaves empty is taken from `standard`. A row
// without a key gets one of the file's name and its line, so that sending the file again repeats
// nothing. A row that the service would refuse by itself has a fault; its times are looked at when
// `now` is given. Pure.
BulkFile ParseBulk(std::string_view content, BulkFormat format, const v1::EnqueueRequest& standard,
                   std::optional<WallTime> now);

// The rows of a CSV text; a broken quote is a fault of its line.
struct CsvLine {
  size_t line = 0;
  std::vector<std::string> fields;
};
std::vector<CsvLine> ParseCsv(std::string_view content, std::vector<BulkFault>& faults);

}  // namespace tocsin::cli
