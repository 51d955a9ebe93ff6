// The pages of a list: which part of it is asked for, and the addresses of the pages around.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/encoding.h"
#include "common/base/time.h"
#include "tools/twilio-sim/dice.h"
#include "tools/twilio-sim/shelf.h"
#include "tools/twilio-sim/sids.h"

namespace tocsin::sim {

constexpr size_t kDefaultPageSize = 50;
constexpr size_t kMaxPageSize = 1000;

struct PageQuery {
  FormFields filters;  // those that were given, as given: the pages' addresses repeat them
  size_t page_size = kDefaultPageSize;
  std::uint64_t page = 0;
  std::string page_token;  // PA and the SID before the page, or PB and the SID after it
};

// A page size out of range is brought into it; a page token of no meaning here is the first page.
void ReadPaging(const FormFields& parameters, PageQuery& query);

// A date means the whole of its day, and so does its midnight, which is how the SDKs write a date;
// another time means its second: [begin, end). Nothing for another text.
struct Span {
  WallTime begin;
  WallTime end;
};
std::optional<Span> ReadSpan(std::string_view text);

struct ListPage {
  std::vector<std::uint64_t> numbers;  // newest first
  bool more = false;                   // older ones follow
};

struct PageMark {
  std::uint64_t number = 0;  // 0: none that we gave
  bool forward = false;      // older than the number, else newer
};
PageMark MarkOf(const PageQuery& query, const Dice& dice);

// The page of those that match. With `to` only those to that number are looked at.
template <typename T, typename Matches>
ListPage PageOf(const Shelf<T>& shelf, const std::string& to, const PageQuery& query, PageMark mark,
                const Matches& matches) {
  const bool forward = mark.number != 0 && mark.forward;
  const bool backward = mark.number != 0 && !mark.forward;
  std::uint64_t skip = mark.number != 0 ? 0 : query.page * query.page_size;
  ListPage page;
  std::uint64_t number = to.empty() ? shelf.Last() : shelf.LastTo(to);
  for (const T* item = shelf.Find(number); item != nullptr; item = shelf.Find(number)) {
    number = to.empty() ? item->number - 1 : item->previous_to;
    if (forward && item->number >= mark.number) continue;
    if (backward && item->number <= mark.number) {
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
      page.numbers.erase(page.numbers.begin());  // only those just before the mark are asked for
    }
    page.numbers.push_back(item->number);
  }
  return page;
}

// The members of the answer beside the list itself, without braces. `path` is the list's own.
std::string PageMembers(const std::string& path, const PageQuery& query, const ListPage& page,
                        const std::function<std::string(std::uint64_t)>& sid_of);

}  // namespace tocsin::sim
