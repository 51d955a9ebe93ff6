// What goes wrong in a run, and what is wrong with the program on purpose.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "tests/model/timeline.h"

namespace tocsin::model {

// Rates of one run, drawn from its seed. Each kind is left out of some runs altogether, so that
// every few kinds meet without the others.
struct Faults {
  double crash = 0;         // of a process, at a call of a port
  double freeze = 0;        // of a process, at a call of a port
  double publish_lost = 0;  // certainly not in the log
  double publish_unknown = 0;
  double store_silent = 0;     // a call of the claims store is not answered; half were carried out
  double store_late = 0;       // its copy is carried out once more, up to a minute later
  double store_exchanged = 0;  // per run: an empty store answers for a while
  double refused = 0;
  double rate_limited = 0;
  double not_sent = 0;
  double reset_before = 0;  // in doubt, not taken
  double reset_after = 0;   // in doubt, taken
  double timed_out = 0;     // at the POST limit; half were taken
  double callback_lost = 0;
  double callback_doubled = 0;
  double callback_late = 0;  // by up to ten minutes
  double undelivered = 0;
  double list_unreadable = 0;
  double list_lags = 0;         // what was taken a moment ago is missing
  double enqueue_repeated = 0;  // the caller got no answer and asked again

  static Faults Draw(Dice& dice);
};

// Faults of the program, planted in the parts around the production classes.
enum class Bug {
  kNone,
  kNoClaim,            // every wish to send is granted
  kNoFence,            // a claim is given back whoever holds it
  kLeaseGrantsAgain,   // a lapsed claim is granted to the next
  kNoEpoch,            // an exchanged store is believed
  kNoAwaitedReport,    // publishing answers before the broker does
  kOffsetStoredEarly,  // a record is finished when it is taken
  kRelayFinishesEarly,
  kRelayFiresEarly,
  kIgnoresDueTime,
  kIgnoresHorizon,
  kReceiptNotKept,
  kRetryKeepsName,       // the follow-up names the try before it
  kDoubtTakenForUnsent,  // a reset after the bytes is read as "never sent"
  kCarrierRepeats,       // the HTTP client sends a POST again when its connection dies
  kCallbackIgnored,      // answered, and not written
  kMarkIgnored,          // a cancelled alert goes on
  kLogNotAsked,          // without the store, whoever says that it begins does
  kLapseNotLookedUp,     // a claim that lapsed counts as never begun
};
inline constexpr std::array kBugs = std::to_array<std::pair<Bug, std::string_view>>({
    {Bug::kNoClaim, "no_claim"},
    {Bug::kNoFence, "no_fence"},
    {Bug::kLeaseGrantsAgain, "lease_grants_again"},
    {Bug::kNoEpoch, "no_epoch"},
    {Bug::kNoAwaitedReport, "no_awaited_report"},
    {Bug::kOffsetStoredEarly, "offset_stored_early"},
    {Bug::kRelayFinishesEarly, "relay_finishes_early"},
    {Bug::kRelayFiresEarly, "relay_fires_early"},
    {Bug::kIgnoresDueTime, "ignores_due_time"},
    {Bug::kIgnoresHorizon, "ignores_horizon"},
    {Bug::kReceiptNotKept, "receipt_not_kept"},
    {Bug::kRetryKeepsName, "retry_keeps_name"},
    {Bug::kDoubtTakenForUnsent, "doubt_taken_for_unsent"},
    {Bug::kCarrierRepeats, "carrier_repeats"},
    {Bug::kCallbackIgnored, "callback_ignored"},
    {Bug::kMarkIgnored, "mark_ignored"},
    {Bug::kLogNotAsked, "log_not_asked"},
    {Bug::kLapseNotLookedUp, "lapse_not_looked_up"},
});

}  // namespace tocsin::model
