// What the log says of a try and of its alert, for a claim store that lost its memory (pure).
#pragma once

#include <optional>
#include <string>

#include "common/base/time.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin {

// A mark that stops every try of an alert that has not begun.
struct KnownMark {
  bool acknowledged = false;  // else cancelled
  std::string by;             // who acknowledged
};

// What one fact tells: of a try, or of a mark on its alert.
struct KnownTry {
  v1::TryName name;
  std::string client_id;
  WallTime time;         // of the fact
  WallTime lease_until;  // while only its begin is known
  v1::Receipt receipt;   // outcome unspecified while only its begin or its price is known
  bool ended = false;    // what the carrier did with it is told too
  bool priced = false;
  std::optional<KnownMark> mark = {};  // then only alert, client and time count
};

// Nothing for facts that tell nothing of whether a try may begin, was begun, or how it came out.
std::optional<KnownTry> KnownTryOf(const v1::Event& event);

// A callback proves that the carrier has the try it names.
std::optional<KnownTry> KnownTryOf(const v1::WebhookRecord& callback);

// When the work was first published, or, of a later step, when the step before began: what the log
// says of its tries is not older.
WallTime KnownFrom(const v1::WorkRecord& work);

}  // namespace tocsin
