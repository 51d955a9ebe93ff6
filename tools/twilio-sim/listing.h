// The list of messages: filters, pages, and the addresses of the pages around.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/encoding.h"
#include "tools/twilio-sim/messages.h"

namespace tocsin::sim {

constexpr size_t kDefaultPageSize = 50;
constexpr size_t kMaxPageSize = 1000;

struct ListQuery {
  FormFields filters;  // those that were given, as given: the pages' addresses repeat them
  std::string to;
  std::string from;
  std::optional<WallTime> sent_from;   // inclusive
  std::optional<WallTime> sent_until;  // exclusive
  size_t page_size = kDefaultPageSize;
  std::uint64_t page = 0;
  std::string page_token;  // PA and the SID before the page, or PB and the SID after it
};

// Unknown parameters are ignored; a page size out of range is brought into it. Nothing for a date
// that cannot be read.
std::optional<ListQuery> ReadListQuery(const FormFields& parameters);

struct ListPage {
  std::vector<std::uint64_t> numbers;  // newest first
  bool more = false;                   // older ones follow
};

// `until`: messages created later are not in the list yet.
ListPage List(const Messages& messages, size_t account, const ListQuery& query, WallTime until);

// The members of the answer beside the messages, without braces. `path` ends in Messages.json.
std::string PageMembers(const Messages& messages, const std::string& path, const ListQuery& query,
                        const ListPage& page);

}  // namespace tocsin::sim
