#include "tools/twilio-sim/api/paging.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "tools/twilio-sim/formats.h"
#include "tools/twilio-sim/json_writer.h"

namespace tocsin::sim {
namespace {

constexpr std::string_view kAfter = "PA";   // older than the SID
constexpr std::string_view kBefore = "PB";  // newer than the SID
constexpr size_t kDateLength = 10;          // YYYY-MM-DD

std::int64_t ParseNumber(std::string_view text, std::int64_t otherwise) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : otherwise;
}

std::string PageUri(const std::string& path, const PageQuery& query, std::uint64_t page,
                    const std::string& token) {
  FormFields fields = query.filters;
  fields.emplace_back("PageSize", std::to_string(query.page_size));
  fields.emplace_back("Page", std::to_string(page));
  if (!token.empty()) fields.emplace_back("PageToken", token);
  return path + '?' + FormEncode(fields);
}

}  // namespace

void ParsePaging(const FormFields& parameters, PageQuery& query) {
  for (const auto& [name, value] : parameters) {
    if (value.empty()) continue;
    if (name == "PageSize") {
      const std::int64_t size = ParseNumber(value, kDefaultPageSize);
      query.page_size = static_cast<size_t>(
          std::clamp<std::int64_t>(size, 1, static_cast<std::int64_t>(kMaxPageSize)));
    }
    if (name == "Page") {
      query.page = static_cast<std::uint64_t>(std::max<std::int64_t>(ParseNumber(value, 0), 0));
    }
    if (name == "PageToken") query.page_token = value;
  }
}

std::optional<TimeRange> ParseTimeRange(std::string_view text) {
  const std::optional<WallTime> begin = ParseIsoTime(text);
  if (!begin) return std::nullopt;
  const bool whole_day =
      text.size() == kDateLength || *begin == std::chrono::floor<std::chrono::days>(*begin);
  return TimeRange{*begin,
                   *begin + (whole_day ? Micros(std::chrono::days(1)) : std::chrono::seconds(1))};
}

PagePosition PositionOf(const PageQuery& query, const SeededRandom& random) {
  const std::string_view token = query.page_token;
  if (!token.starts_with(kAfter) && !token.starts_with(kBefore)) return {};
  return {.number = NumberOf(random, token.substr(kAfter.size())).value_or(0),
          .forward = token.starts_with(kAfter)};
}

std::string PageMembers(const std::string& path, const PageQuery& query, const ListPage& page,
                        const std::function<std::string(std::uint64_t)>& sid_of) {
  std::string json;
  ObjectWriter writer(json);
  const auto start = static_cast<std::int64_t>(query.page * query.page_size);
  const auto count = static_cast<std::int64_t>(page.numbers.size());
  writer.Number("page", static_cast<std::int64_t>(query.page));
  writer.Number("page_size", static_cast<std::int64_t>(query.page_size));
  writer.Number("start", start);
  writer.Number("end", count == 0 ? start : start + count - 1);
  writer.Text("uri", PageUri(path, query, query.page, query.page_token));
  writer.Text("first_page_uri", PageUri(path, query, 0, ""));
  const bool next = page.more && count > 0;
  writer.TextOrNull(
      "next_page_uri",
      next ? PageUri(path, query, query.page + 1, std::string(kAfter) + sid_of(page.numbers.back()))
           : "");
  const bool previous = query.page > 0 && count > 0;
  writer.TextOrNull("previous_page_uri",
                    previous ? PageUri(path, query, query.page - 1,
                                       std::string(kBefore) + sid_of(page.numbers.front()))
                             : "");
  return json.substr(1);  // without the opening brace
}

}  // namespace tocsin::sim
