// The list of messages: its filters.
#pragma once

#include <optional>
#include <string>

#include "common/base/encoding.h"
#include "tools/twilio-sim/messages.h"
#include "tools/twilio-sim/paging.h"

namespace tocsin::sim {

struct ListQuery : PageQuery {
  std::string to;
  std::string from;
  std::optional<WallTime> sent_from;   // inclusive
  std::optional<WallTime> sent_until;  // exclusive
};

// Unknown parameters are ignored. Nothing for a date that cannot be read.
std::optional<ListQuery> ReadListQuery(const FormFields& parameters);

// `until`: messages created later are not in the list yet.
ListPage List(const Messages& messages, size_t account, const ListQuery& query, WallTime until);

}  // namespace tocsin::sim
