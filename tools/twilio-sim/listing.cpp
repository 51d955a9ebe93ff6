#include "tools/twilio-sim/listing.h"

#include <algorithm>
#include <charconv>

#include "tools/twilio-sim/json.h"
#include "tools/twilio-sim/sids.h"

namespace tocsin::sim {
namespace {

constexpr std::string_view kAfter = "PA";   // older than the SID
constexpr std::string_view kBefore = "PB";  // newer than the SID

std::int64_t ReadNumber(std::string_view text, std::int64_t otherwise) {
  std::int64_t value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  return fault == std::errc() && end == text.data() + text.size() ? value : otherwise;
}

// DateSent, DateSent< and DateSent>: a day means the whole of it, a time its second.
bool ReadDate(std::string_view name, const std::string& value, ListQuery& query) {
  const std::optional<WallTime> begin = ParseIsoTime(value);
  if (!begin) return false;
  const bool whole_day = value.size() == 10;
  const WallTime end =
      *begin + (whole_day ? Micros(std::chrono::days(1)) : std::chrono::seconds(1));
  if (!name.ends_with('<')) query.sent_from = begin;
  if (!name.ends_with('>')) query.sent_until = end;
  return true;
}

bool Matches(const Message& message, size_t account, const ListQuery& query) {
  if (message.deleted || message.account != account) return false;
  if (!query.to.empty() && message.to != query.to) return false;
  if (!query.from.empty() && message.from != query.from) return false;
  if (!query.sent_from && !query.sent_until) return true;
  const Status sent = message.Inbound() ? Status::kReceived : Status::kSent;
  if (!message.Reached(sent)) return false;
  const WallTime when = message.When(sent);
  return (!query.sent_from || when >= *query.sent_from) &&
         (!query.sent_until || when < *query.sent_until);
}

// The next older candidate after `number`.
std::uint64_t Older(const Messages& messages, std::uint64_t number, bool by_to) {
  const Message* const message = messages.Find(number);
  if (message == nullptr) return 0;
  return by_to ? message->previous_to : number - 1;
}

std::string PageUri(const std::string& path, const ListQuery& query, std::uint64_t page,
                    const std::string& token) {
  FormFields fields = query.filters;
  fields.emplace_back("PageSize", std::to_string(query.page_size));
  fields.emplace_back("Page", std::to_string(page));
  if (!token.empty()) fields.emplace_back("PageToken", token);
  return path + '?' + FormEncode(fields);
}

}  // namespace

std::optional<ListQuery> ReadListQuery(const FormFields& parameters) {
  ListQuery query;
  for (const auto& [name, value] : parameters) {
    if (value.empty()) continue;
    if (name == "To") query.to = value;
    if (name == "From") query.from = value;
    const bool date = name == "DateSent" || name == "DateSent<" || name == "DateSent>";
    if (date && !ReadDate(name, value, query)) return std::nullopt;
    if (date || name == "To" || name == "From") query.filters.emplace_back(name, value);
    if (name == "PageSize") {
      const std::int64_t size = ReadNumber(value, kDefaultPageSize);
      query.page_size = static_cast<size_t>(
          std::clamp<std::int64_t>(size, 1, static_cast<std::int64_t>(kMaxPageSize)));
    }
    if (name == "Page") {
      query.page = static_cast<std::uint64_t>(std::max<std::int64_t>(ReadNumber(value, 0), 0));
    }
    if (name == "PageToken") query.page_token = value;
  }
  return query;
}

ListPage List(const Messages& messages, size_t account, const ListQuery& query, WallTime until) {
  const std::string_view token = query.page_token;
  const std::uint64_t mark =  // 0: none that we gave
      token.size() > 2 ? NumberOf(messages.Randomness(), token.substr(2)).value_or(0) : 0;
  const bool forward = mark != 0 && token.starts_with(kAfter);
  const bool backward = mark != 0 && token.starts_with(kBefore);
  std::uint64_t skip = mark != 0 ? 0 : query.page * query.page_size;
  ListPage page;
  const bool by_to = !query.to.empty();
  for (std::uint64_t number = by_to ? messages.LastTo(query.to) : messages.Last(); number != 0;
       number = Older(messages, number, by_to)) {
    const Message* const message = messages.Find(number);
    if (message == nullptr) break;
    if (forward && number >= mark) continue;
    if (backward && number <= mark) {
      page.more = true;
      break;
    }
    if (message->created > until || !Matches(*message, account, query)) continue;
    if (skip > 0) {
      --skip;
      continue;
    }
    if (page.numbers.size() == query.page_size) {
      if (!backward) {
        page.more = true;
        break;
      }
      page.numbers.erase(page.numbers.begin());  // only those just before the mark are asked for
    }
    page.numbers.push_back(number);
  }
  return page;
}

std::string PageMembers(const Messages& messages, const std::string& path, const ListQuery& query,
                        const ListPage& page) {
  std::string json;
  ObjectWriter writer(json);
  const auto start = static_cast<std::int64_t>(query.page * query.page_size);
  const auto count = static_cast<std::int64_t>(page.numbers.size());
  writer.Number("page", static_cast<std::int64_t>(query.page));
  writer.Number("page_size", static_cast<std::int64_t>(query.page_size));
  writer.Number("start", start);
  writer.Number("end", count == 0 ? start : start + count - 1);
  const auto sid = [&](std::uint64_t number) { return messages.SidOf(*messages.Find(number)); };
  writer.Text("uri", PageUri(path, query, query.page, query.page_token));
  writer.Text("first_page_uri", PageUri(path, query, 0, ""));
  const bool next = page.more && count > 0;
  writer.TextOrNull("next_page_uri", next ? PageUri(path, query, query.page + 1,
                                                    std::string(kAfter) + sid(page.numbers.back()))
                                          : "");
  const bool previous = query.page > 0 && count > 0;
  writer.TextOrNull("previous_page_uri",
                    previous ? PageUri(path, query, query.page - 1,
                                       std::string(kBefore) + sid(page.numbers.front()))
                             : "");
  return json.substr(1);  // the brace that the writer opened
}

}  // namespace tocsin::sim
