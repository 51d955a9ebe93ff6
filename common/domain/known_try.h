// What the log says of a try, for a claim store that lost its memory (pure).
#pragma once

#include <optional>
#include <string>

#include "common/base/time.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin {

struct KnownTry {
  v1::TryName name;
  std::string client_id;
  WallTime time;         // of the fact
  WallTime lease_until;  // while only its begin is known
  v1::Receipt receipt;   // outcome unspecified while only its begin is known, or only its price
  bool ended = false;    // what the carrier did with it is told too
  bool priced = false;
};

// Nothing for facts that tell nothing of whether a try was begun or how it came out.
std::optional<KnownTry> KnownTryOf(const v1::Event& event);

// A callback proves that the carrier has the try it names.
std::optional<KnownTry> KnownTryOf(const v1::WebhookRecord& callback);

// When the work was first published, or, of a later step, when the step before began: what the log
// says of its tries is not older.
WallTime KnownFrom(const v1::WorkRecord& work);

}  // namespace tocsin
