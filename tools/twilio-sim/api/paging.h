// Paging of lists: the requested page and the URLs of adjacent pages.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/encoding.h"
#include "common/base/time.h"
#include "tools/twilio-sim/numbered_store.h"
#include "tools/twilio-sim/random.h"
#include "tools/twilio-sim/sids.h"

namespace tocsin::sim {

constexpr size_t kDefaultPageSize = 50;
constexpr size_t kMaxPageSize = 1000;

struct PageQuery {
  FormFields filters;  // as given; repeated in the URLs of the pages
  size_t page_size = kDefaultPageSize;
  std::uint64_t page = 0;
  std::string page_token;  // PA and the SID before the page, or PB and the SID after it
};

// Clamps the page size. An unknown page token means the first page.
void ParsePaging(const FormFields& parameters, PageQuery& query);

// [begin, end). A date, or midnight (as the SDKs write a date), means the whole day; another time
// means its second. Nothing if it cannot be parsed.
struct TimeRange {
  WallTime begin;
  WallTime end;
};
std::optional<TimeRange> ParseTimeRange(std::string_view text);

struct ListPage {
  std::vector<std::uint64_t> numbers;  // newest first
  bool more = false;                   // there are older entries
};

struct PagePosition {
  std::uint64_t number = 0;  // 0: the token is not ours
  bool forward = false;      // entries older than `number`, else newer
};
PagePosition PositionOf(const PageQuery& query, const SeededRandom& random);

// The page of the matching entries. If `to` is not empty, searches only entries to that number.
template <typename T, typename Matches>
ListPage PageOf(const NumberedStore<T>& store, const std::string& to, const PageQuery& query,
                PagePosition position, const Matches& matches) {
  const bool forward = position.number != 0 && position.forward;
  const bool backward = position.number != 0 && !position.forward;
  std::uint64_t skip = position.number != 0 ? 0 : query.page * query.page_size;
  ListPage page;
  std::uint64_t number = to.empty() ? store.Last() : store.LastTo(to);
  for (const T* item = store.Find(number); item != nullptr; item = store.Find(number)) {
    number = to.empty() ? item->number - 1 : item->previous_to;
    if (forward && item->number >= position.number) continue;
    if (backward && item->number <= position.number) {
      page.more = true;
      break;
    }
    if (!matches(*item)) continue;
    if (skip > 0) {
      --skip;
      continue;
    }
    if (page.numbers.size() == query.page_size) {
      if (!backward) {
        page.more = true;
        break;
      }
      page.numbers.erase(page.numbers.begin());  // keep only those just before the position
    }
    page.numbers.push_back(item->number);
  }
  return page;
}

// The members of the response besides the list, without braces. `path` is the path of the list.
std::string PageMembers(const std::string& path, const PageQuery& query, const ListPage& page,
                        const std::function<std::string(std::uint64_t)>& sid_of);

}  // namespace tocsin::sim
