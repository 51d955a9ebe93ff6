// Filters of the list of messages.
#pragma once

#include <optional>
#include <string>

#include "common/base/encoding.h"
#include "tools/twilio-sim/api/paging.h"
#include "tools/twilio-sim/messages/messages.h"

namespace tocsin::sim {

struct ListQuery : PageQuery {
  std::string to;
  std::string from;
  std::optional<WallTime> sent_from;   // inclusive
  std::optional<WallTime> sent_until;  // exclusive
};

// Ignores unknown parameters. Nothing if a date is invalid.
std::optional<ListQuery> ParseListQuery(const FormFields& parameters);

// `until`: messages created later are not listed yet.
ListPage List(const Messages& messages, size_t account, const ListQuery& query, WallTime until);

}  // namespace tocsin::sim
