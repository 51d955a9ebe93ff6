#include "tools/twilio-sim/messages/message_list.h"

namespace tocsin::sim {
namespace {

// DateSent, DateSent< and DateSent>.
bool ReadDate(std::string_view name, const std::string& value, ListQuery& query) {
  const std::optional<TimeRange> range = ParseTimeRange(value);
  if (!range) return false;
  if (!name.ends_with('<')) query.sent_from = range->begin;
  if (!name.ends_with('>')) query.sent_until = range->end;
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

}  // namespace

std::optional<ListQuery> ParseListQuery(const FormFields& parameters) {
  ListQuery query;
  ParsePaging(parameters, query);
  for (const auto& [name, value] : parameters) {
    if (value.empty()) continue;
    if (name == "To") query.to = value;
    if (name == "From") query.from = value;
    const bool date = name == "DateSent" || name == "DateSent<" || name == "DateSent>";
    if (date && !ReadDate(name, value, query)) return std::nullopt;
    if (date || name == "To" || name == "From") query.filters.emplace_back(name, value);
  }
  return query;
}

ListPage List(const Messages& messages, size_t account, const ListQuery& query, WallTime until) {
  return PageOf(messages.Store(), query.to, query, PositionOf(query, messages.Random()),
                [&](const Message& message) {
                  return message.created <= until && Matches(message, account, query);
                });
}

}  // namespace tocsin::sim
