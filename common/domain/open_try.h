// Tries that the carrier has, until their end and their price are known: what follows from a look
// into the carrier's books (pure).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin {

// What is known of one of them.
struct OpenTry {
  v1::TryName name;
  std::string client_id;  // empty when it is forgotten
  v1::Receipt receipt;    // ACCEPTED
  bool ended = false;     // its end was told, by a callback or an earlier look
  bool priced = false;    // its price was
  // False when a callback or an answer gave its SID to another try: the books under that SID are
  // not about this one.
  bool holds_sid = true;
  std::optional<v1::WorkRecord> work;  // of the newest try of its step; nothing when forgotten
};

// What the carrier's books say of a SID.
struct BookEntry {
  std::string status;  // the carrier's word
  std::int32_t code = 0;
  std::uint32_t segments = 0;      // 0 when not said
  std::optional<v1::Money> price;  // what it cost; nothing until it is billed
  std::string answered_by;         // of a call; empty for none
  std::int32_t duration_seconds = -1;
  WallTime updated;  // when they were last changed, whole seconds; 1970: never, nothing is told yet
};

// When books are looked into. The first look comes long after callbacks have; each waits as long
// again as the try is old, so a try is looked at few times.
struct ReconcileSchedule {
  Micros first_look = std::chrono::minutes(10);
  Micros longest_wait = std::chrono::hours(6);
  // After its validity and this a try without an end is SENT_UNCONFIRMED.
  Micros grace = std::chrono::hours(1);
  Micros price_limit = std::chrono::hours(48);  // a price that is not there by then never comes
};

// What a look found, the most that can be said of it: for metrics.
enum class Finding {
  kEnd,          // its end, that no callback told
  kPrice,        // its price
  kNothing,      // nothing new: it is looked at again
  kUnconfirmed,  // nobody tells its end, and its time is over
  kGivenUp,      // its price never came
};
std::string_view NameOf(Finding finding);  // lower_snake
inline constexpr std::array kFindings{Finding::kEnd, Finding::kPrice, Finding::kNothing,
                                      Finding::kUnconfirmed, Finding::kGivenUp};

// What follows from a look, to be published before it is noted.
struct Reconciled {
  Finding finding = Finding::kNothing;
  std::vector<v1::Event> events;
  // The end as its callback would have told it: what follows from that, a next try, follows from
  // this.
  std::optional<v1::WebhookRecord> told;
  bool ended = false;
  bool priced = false;
  std::optional<WallTime> again;  // nothing: this was the last look
};

// A function of what is known and of the books, but for `again`: whoever repeats it gets the same
// events to the byte. `books`: nothing when the carrier knows no such SID.
Reconciled Reconcile(v1::Channel channel, const OpenTry& open,
                     const std::optional<BookEntry>& books, const ReconcileSchedule& schedule,
                     WallTime now);

// When nobody waits for the end of the try any longer.
WallTime UnconfirmedFrom(const OpenTry& open, const ReconcileSchedule& schedule);

}  // namespace tocsin
