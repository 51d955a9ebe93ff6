#include "tools/tocsin/bulk/bulk_file.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "common/base/digest.h"
#include "common/base/encoding.h"
#include "common/domain/alert/request_rules.h"
#include "common/domain/message/phone.h"
#include "common/domain/message/utf8.h"
#include "tools/tocsin/alert_format.h"

namespace tocsin::cli {
namespace {

constexpr std::string_view kLabel = "label.";
constexpr size_t kMaxPrintedName = 32;

const std::set<std::string> kColumns{"to",        "text",      "priority",    "channel",
                                     "sender_id", "send_time", "expire_time", "idempotency_key"};
const std::map<std::string, std::string> kOldColumns{{"class", "priority"},
                                                     {"sender", "sender_id"},
                                                     {"send_at", "send_time"},
                                                     {"expires_at", "expire_time"}};

std::string WithCurrentName(const std::string& column) {
  const auto old = kOldColumns.find(column);
  return old == kOldColumns.end() ? column : old->second;
}

bool IsColumn(const std::string& name) {
  return kColumns.contains(name) || (name.starts_with(kLabel) && name.size() > kLabel.size());
}

// The name of a column if it looks like a name. A file without a header has phone numbers and texts
// in its place.
std::string PrintableName(const std::string& name, size_t number) {
  const auto is_plain = [](char c) { return (c >= 'a' && c <= 'z') || c == '_' || c == '.'; };
  const bool printable = !name.empty() && name.size() <= kMaxPrintedName &&
                         std::all_of(name.begin(), name.end(), is_plain);
  return printable ? name : "column " + std::to_string(number);
}

std::string ColumnNames() {
  std::string names;
  for (const std::string& name : kColumns) names += name + ", ";
  return names + std::string(kLabel) + "NAME";
}

// Sets one field of the request. Returns the reason if the value is invalid, else an empty text.
std::string SetField(const std::string& column, const std::string& value,
                     v1::EnqueueRequest& request) {
  if (value.empty()) return {};
  if (!IsValidUtf8(value)) return "is not UTF-8";
  if (column == "to") request.set_to(value);
  if (column == "text") request.set_text(value);
  if (column == "sender_id") request.set_sender_id(value);
  if (column == "idempotency_key") request.set_idempotency_key(value);
  if (column == "priority") {
    const auto priority = FindChoice(kPriorities, value);
    if (!priority) return "is not one of " + NamesOf(kPriorities, ", ");
    request.set_priority(*priority);
  }
  if (column == "channel") {
    const auto channel = FindChoice(kChannels, value);
    if (!channel) return "is not one of " + NamesOf(kChannels, ", ");
    request.set_channel(*channel);
  }
  if (column == "send_time" || column == "expire_time") {
    google::protobuf::Timestamp time;
    if (const auto read = ReadTime(value, "", time); !read) return read.error().message;
    *(column == "send_time" ? request.mutable_send_time() : request.mutable_expire_time()) = time;
  }
  if (column.starts_with(kLabel)) (*request.mutable_labels())[column.substr(kLabel.size())] = value;
  return {};
}

// Errors that the service would find in the request alone. A field that already has an error is
// skipped: its value was not set.
void Check(const BulkRow& row, std::optional<WallTime> now,
           const std::set<std::pair<size_t, std::string>>& reported,
           std::vector<BulkError>& errors) {
  const auto add = [&](const auto& checked) {
    if (checked || reported.contains({row.line, checked.error().field})) return;
    errors.push_back({row.line, checked.error().field, checked.error().message});
  };
  add(Phone::Parse(row.request.to()));
  add(CheckText(row.request.text()));
  add(CheckKey(row.request.idempotency_key()));
  add(CheckLabels(row.request));
  if (now) add(SendWindowOf(row.request, *now));
}

struct Header {
  std::vector<std::string> names;      // current names of the columns
  std::vector<std::string> printable;  // as errors name them
};

// Returns an empty header, and an error, if the line is not a header.
Header ReadHeader(const CsvLine& line, std::vector<BulkError>& errors) {
  Header header;
  for (const std::string& name : line.fields) {
    header.names.push_back(WithCurrentName(name));
    header.printable.push_back(PrintableName(name, header.names.size()));
  }
  if (std::none_of(header.names.begin(), header.names.end(), IsColumn)) {
    errors.push_back({line.line, "", "header line is missing; columns: " + ColumnNames()});
    return {};
  }
  std::set<std::string> seen;
  for (size_t i = 0; i < header.names.size(); ++i) {
    if (!IsColumn(header.names[i]))
      errors.push_back({line.line, header.printable[i], "unknown column"});
    if (!seen.insert(header.names[i]).second)
      errors.push_back({line.line, header.printable[i], "duplicate column"});
  }
  return header;
}

void ReadCsv(std::string_view content, const v1::EnqueueRequest& defaults, BulkFile& file) {
  const std::vector<CsvLine> lines = ParseCsv(content, file.errors);
  if (lines.empty()) return;
  const Header header = ReadHeader(lines.front(), file.errors);
  const size_t columns = header.names.size();
  for (size_t i = 1; i < lines.size() && columns > 0; ++i) {
    BulkRow row{lines[i].line, defaults};
    const std::vector<std::string>& fields = lines[i].fields;
    if (fields.size() != columns) {
      file.errors.push_back({row.line, "",
                             "has " + std::to_string(fields.size()) + " fields instead of " +
                                 std::to_string(columns)});
      continue;
    }
    for (size_t column = 0; column < columns; ++column)
      if (std::string reason = SetField(header.names[column], fields[column], row.request);
          !reason.empty())
        file.errors.push_back({row.line, header.printable[column], std::move(reason)});
    file.rows.push_back(std::move(row));
  }
}

void ReadObject(const nlohmann::ordered_json& object, BulkRow& row,
                std::vector<BulkError>& errors) {
  size_t number = 0;  // of the field on its line
  std::set<std::string> seen;
  const auto add_error = [&](const std::string& name, std::string reason) {
    errors.push_back({row.line, PrintableName(name, number), std::move(reason)});
  };
  const auto set = [&](const std::string& name, const nlohmann::ordered_json& value) {
    if (!value.is_string()) return add_error(name, "is not a string");
    const std::string column = WithCurrentName(name);
    if (!seen.insert(column).second) return add_error(name, "duplicate field");
    if (std::string reason = SetField(column, value.get<std::string>(), row.request);
        !reason.empty())
      add_error(name, std::move(reason));
  };
  for (const auto& [name, value] : object.items()) {
    ++number;
    if (name == "labels" && value.is_object()) {
      for (const auto& [label, text] : value.items()) set(std::string(kLabel) + label, text);
    } else if (!IsColumn(WithCurrentName(name))) {
      add_error(name, "unknown field");
    } else {
      set(name, value);
    }
  }
}

// The object of a line, or the reason why there is none. Refuses a duplicate key: the parser would
// keep the last value.
tl::expected<nlohmann::ordered_json, std::string> ParseObject(std::string_view line) {
  using Json = nlohmann::ordered_json;
  std::vector<std::set<std::string>> keys;  // of the open objects
  bool duplicate = false;
  const auto check_key = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
      duplicate = true;
    return true;
  };
  Json object = Json::parse(line, check_key, false);
  if (!object.is_object()) return tl::unexpected<std::string>("is not a JSON object");
  if (duplicate) return tl::unexpected<std::string>("duplicate field");
  return object;
}

void ReadJsonLines(std::string_view content, const v1::EnqueueRequest& defaults, BulkFile& file) {
  size_t number = 0;
  while (!content.empty()) {
    const size_t end = std::min(content.find('\n'), content.size());
    const std::string_view line = content.substr(0, end);
    content.remove_prefix(std::min(end + 1, content.size()));
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const auto object = ParseObject(line);
    if (!object) {
      file.errors.push_back({number, "", object.error()});
      continue;
    }
    BulkRow row{number, defaults};
    ReadObject(*object, row, file.errors);
    file.rows.push_back(std::move(row));
  }
}

}  // namespace

std::vector<CsvLine> ParseCsv(std::string_view content, std::vector<BulkError>& errors) {
  if (content.starts_with("\xef\xbb\xbf"))
    content.remove_prefix(3);  // byte order mark, from spreadsheets
  std::vector<CsvLine> lines;
  size_t number = 1;
  size_t i = 0;
  while (i < content.size()) {
    CsvLine line{number, {}};
    bool more = true;
    while (more) {
      std::string field;
      const bool quoted = i < content.size() && content[i] == '"';
      bool closed = !quoted;
      for (i += quoted ? 1 : 0; i < content.size(); ++i) {
        const char c = content[i];
        if (c == '\n') ++number;
        if (quoted && !closed) {
          if (c != '"') field += c;
          if (c == '"' && i + 1 < content.size() && content[i + 1] == '"')
            field += content[++i];
          else if (c == '"')
            closed = true;
          continue;
        }
        if (c == ',' || c == '\n') break;
        if (c == '\r' && (i + 1 == content.size() || content[i + 1] == '\n')) continue;
        if (quoted) closed = false;  // text after the closing quote
        field += c;
      }
      if (!closed) errors.push_back({line.line, "", "has an unclosed quote"});
      more = i < content.size() && content[i] == ',';
      ++i;
      line.fields.push_back(std::move(field));
    }
    if (line.fields.size() > 1 || !line.fields.front().empty()) lines.push_back(std::move(line));
  }
  return lines;
}

BulkFile ParseBulk(std::string_view content, BulkFormat format, const v1::EnqueueRequest& defaults,
                   std::optional<WallTime> now) {
  BulkFile file;
  file.id = HexEncode(Sha256(content)).substr(0, 16);
  if (content.find_first_not_of(" \t\r\n") == std::string_view::npos)
    file.errors.push_back({0, "", "the file is empty"});
  format == BulkFormat::kCsv ? ReadCsv(content, defaults, file)
                             : ReadJsonLines(content, defaults, file);
  std::set<std::pair<size_t, std::string>> reported;
  for (const BulkError& error : file.errors)
    reported.emplace(error.line, WithCurrentName(error.column));
  std::map<std::string, size_t> keys;
  for (BulkRow& row : file.rows) {
    if (row.request.idempotency_key().empty())
      row.request.set_idempotency_key("bulk-" + file.id + '-' + std::to_string(row.line));
    Check(row, now, reported, file.errors);
    const auto [first, is_new] = keys.try_emplace(row.request.idempotency_key(), row.line);
    if (!is_new)
      file.errors.push_back(
          {row.line, "idempotency_key", "is the same as in line " + std::to_string(first->second)});
  }
  if (file.rows.size() > kMaxBulkRows)
    file.errors.push_back({0, "", "the file has more than 1 000 000 alerts"});
  std::stable_sort(file.errors.begin(), file.errors.end(),
                   [](const BulkError& a, const BulkError& b) { return a.line < b.line; });
  return file;
}

}  // namespace tocsin::cli
