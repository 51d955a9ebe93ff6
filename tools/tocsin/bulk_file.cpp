#include "tools/tocsin/bulk_file.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "common/base/digest.h"
#include "common/base/encoding.h"
#include "common/domain/phone.h"
#include "common/domain/request_rules.h"
#include "common/domain/segments.h"
#include "tools/tocsin/alert_words.h"

namespace tocsin::cli {
namespace {

constexpr std::string_view kLabel = "label.";
constexpr size_t kMaxToldName = 32;

const std::set<std::string> kColumns{"to",     "text",    "class",      "channel",
                                     "sender", "send_at", "expires_at", "idempotency_key"};

bool IsColumn(const std::string& name) {
  return kColumns.contains(name) || (name.starts_with(kLabel) && name.size() > kLabel.size());
}

// A name as it may be told: a file without a line of names has numbers and texts in their place.
std::string Told(const std::string& name, size_t number) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || c == '_' || c == '.'; };
  const bool tellable =
      !name.empty() && name.size() <= kMaxToldName && std::all_of(name.begin(), name.end(), plain);
  return tellable ? name : "column " + std::to_string(number);
}

std::string NamesOfColumns() {
  std::string names;
  for (const std::string& name : kColumns) names += name + ", ";
  return names + std::string(kLabel) + "NAME";
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// Puts one value into the request; the complaint, or nothing.
std::string Set(const std::string& column, const std::string& value, v1::EnqueueRequest& request) {
  if (value.empty()) return {};
  if (!IsValidUtf8(value)) return "is not UTF-8";
  if (column == "to") request.set_to(value);
  if (column == "text") request.set_text(value);
  if (column == "sender") request.set_sender(value);
  if (column == "idempotency_key") request.set_idempotency_key(value);
  if (column == "class") {
    const auto known = kClasses.find(Lower(value));
    if (known == kClasses.end()) return "is not emergency, high, normal or bulk";
    request.set_class_(known->second);
  }
  if (column == "channel") {
    const auto known = kChannels.find(Lower(value));
    if (known == kChannels.end()) return "is not sms or voice";
    request.set_channel(known->second);
  }
  if (column == "send_at" || column == "expires_at") {
    google::protobuf::Timestamp time;
    if (const auto read = ReadTime(value, "", time); !read) return read.error().message;
    *(column == "send_at" ? request.mutable_send_at() : request.mutable_expires_at()) = time;
  }
  if (column.starts_with(kLabel)) (*request.mutable_labels())[column.substr(kLabel.size())] = value;
  return {};
}

// What the service would refuse by the request alone.
void Check(const BulkRow& row, std::optional<WallTime> now, std::vector<BulkFault>& faults) {
  const auto add = [&](const auto& checked) {
    if (!checked) faults.push_back({row.line, checked.error().field, checked.error().message});
  };
  add(Phone::Parse(row.request.to()));
  add(CheckText(row.request.text()));
  add(CheckKey(row.request.idempotency_key()));
  add(CheckLabels(row.request));
  if (now) add(SendWindowOf(row.request, *now));
}

// The names of the columns as they may be told; none, with a fault, when the line is no header.
std::vector<std::string> ReadHeader(const CsvLine& head, std::vector<BulkFault>& faults) {
  if (std::none_of(head.fields.begin(), head.fields.end(), IsColumn)) {
    faults.push_back(
        {head.line, "", "a header line is missing; it names the columns: " + NamesOfColumns()});
    return {};
  }
  std::vector<std::string> told;
  std::set<std::string> seen;
  for (const std::string& name : head.fields) {
    told.push_back(Told(name, told.size() + 1));
    if (!IsColumn(name)) faults.push_back({head.line, told.back(), "is no column of alerts"});
    if (!seen.insert(name).second) faults.push_back({head.line, told.back(), "stands there twice"});
  }
  return told;
}

void ReadCsv(std::string_view content, const v1::EnqueueRequest& standard, BulkFile& file) {
  std::vector<CsvLine> lines = ParseCsv(content, file.faults);
  if (lines.empty()) return;
  const CsvLine head = std::move(lines.front());
  const std::vector<std::string> told = ReadHeader(head, file.faults);
  for (size_t i = 1; i < lines.size() && !told.empty(); ++i) {
    BulkRow row{lines[i].line, standard};
    if (lines[i].fields.size() != told.size()) {
      file.faults.push_back({row.line, "",
                             "has " + std::to_string(lines[i].fields.size()) + " fields, not " +
                                 std::to_string(told.size())});
      continue;
    }
    for (size_t column = 0; column < told.size(); ++column)
      if (std::string no = Set(head.fields[column], lines[i].fields[column], row.request);
          !no.empty())
        file.faults.push_back({row.line, told[column], std::move(no)});
    file.rows.push_back(std::move(row));
  }
}

void ReadObject(const nlohmann::ordered_json& object, BulkRow& row,
                std::vector<BulkFault>& faults) {
  size_t number = 0;  // of the field on its line
  const auto fault = [&](const std::string& name, std::string reason) {
    faults.push_back({row.line, Told(name, number), std::move(reason)});
  };
  const auto set = [&](const std::string& column, const nlohmann::ordered_json& value) {
    if (!value.is_string()) return fault(column, "is not a string");
    if (std::string no = Set(column, value.get<std::string>(), row.request); !no.empty())
      fault(column, std::move(no));
  };
  for (const auto& [name, value] : object.items()) {
    ++number;
    if (name == "labels" && value.is_object()) {
      for (const auto& [label, text] : value.items()) set(std::string(kLabel) + label, text);
    } else if (!IsColumn(name)) {
      fault(name, "is no field of alerts");
    } else {
      set(name, value);
    }
  }
}

// The object of a line, or why there is none. A doubled key is refused: the parser would keep the
// last value, and nobody knows which one was meant.
tl::expected<nlohmann::ordered_json, std::string> ParseObject(std::string_view line) {
  using Json = nlohmann::ordered_json;
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  bool doubled = false;
  const auto note = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
      doubled = true;
    return true;
  };
  Json object = Json::parse(line, note, false);
  if (!object.is_object()) return tl::unexpected<std::string>("is not a JSON object");
  if (doubled) return tl::unexpected<std::string>("has a field twice");
  return object;
}

void ReadJsonLines(std::string_view content, const v1::EnqueueRequest& standard, BulkFile& file) {
  size_t number = 0;
  while (!content.empty()) {
    const size_t end = std::min(content.find('\n'), content.size());
    const std::string_view line = content.substr(0, end);
    content.remove_prefix(std::min(end + 1, content.size()));
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const auto object = ParseObject(line);
    if (!object) {
      file.faults.push_back({number, "", object.error()});
      continue;
    }
    BulkRow row{number, standard};
    ReadObject(*object, row, file.faults);
    file.rows.push_back(std::move(row));
  }
}

}  // namespace

std::vector<CsvLine> ParseCsv(std::string_view content, std::vector<BulkFault>& faults) {
  if (content.starts_with("\xef\xbb\xbf")) content.remove_prefix(3);  // of spreadsheets
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
        if (quoted) closed = false;  // text behind the closing quote
        field += c;
      }
      if (!closed) faults.push_back({line.line, "", "has a quote that is not closed"});
      more = i < content.size() && content[i] == ',';
      ++i;
      line.fields.push_back(std::move(field));
    }
    if (line.fields.size() > 1 || !line.fields.front().empty()) lines.push_back(std::move(line));
  }
  return lines;
}

BulkFile ParseBulk(std::string_view content, BulkFormat format, const v1::EnqueueRequest& standard,
                   std::optional<WallTime> now) {
  BulkFile file;
  file.name = HexEncode(Sha256(content)).substr(0, 16);
  if (content.find_first_not_of(" \t\r\n") == std::string_view::npos)
    file.faults.push_back({0, "", "the file is empty"});
  format == BulkFormat::kCsv ? ReadCsv(content, standard, file)
                             : ReadJsonLines(content, standard, file);
  std::map<std::string, size_t> keys;
  for (BulkRow& row : file.rows) {
    if (row.request.idempotency_key().empty())
      row.request.set_idempotency_key("bulk-" + file.name + '-' + std::to_string(row.line));
    Check(row, now, file.faults);
    const auto [first, added] = keys.try_emplace(row.request.idempotency_key(), row.line);
    if (!added)
      file.faults.push_back(
          {row.line, "idempotency_key", "is that of line " + std::to_string(first->second)});
  }
  if (file.rows.size() > kMaxBulkRows)
    file.faults.push_back({0, "", "the file has more than 1 000 000 alerts"});
  std::stable_sort(file.faults.begin(), file.faults.end(),
                   [](const BulkFault& a, const BulkFault& b) { return a.line < b.line; });
  return file;
}

}  // namespace tocsin::cli
