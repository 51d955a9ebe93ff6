// Reconciliation of attempts that the provider accepted, until their final status and price are
// known (pure).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

// An attempt that the provider accepted and whose final status or price is missing.
struct UnreconciledAttempt {
  v1::AttemptRef name;
  std::string client_id;              // empty if unknown
  records::v1::AttemptResult result;  // ACCEPTED
  bool ended = false;                 // its final status was published
  bool priced = false;                // its price was published
  // False if a callback or a response assigned its SID to another attempt: the provider's record of
  // that SID does not concern this one.
  bool holds_sid = true;
  std::optional<records::v1::WorkRecord>
      work;  // of the newest attempt of its step; nullopt if unknown
};

// What the provider returns for a SID.
struct ProviderRecord {
  std::string provider_status;  // as Twilio names it
  v1::AttemptStatus status = v1::ATTEMPT_STATUS_UNSPECIFIED;
  records::v1::ProviderErrorClass error_class = records::v1::PROVIDER_ERROR_CLASS_UNSPECIFIED;
  std::int32_t code = 0;
  std::int32_t segment_count = 0;                            // 0 if absent
  std::optional<records::v1::Money> price;                   // nullopt until billed
  v1::AnsweredBy answered_by = v1::ANSWERED_BY_UNSPECIFIED;  // of a call
  std::int32_t duration_seconds = -1;
  WallTime updated;  // last change at the provider, whole seconds; epoch: never
};

// When an attempt is fetched from the provider. The first time is long after its callbacks are
// expected; each following delay equals the age of the attempt, so that it is fetched only a few
// times.
struct ReconcileSchedule {
  Micros initial_delay = std::chrono::minutes(10);
  Micros longest_wait = std::chrono::hours(6);
  // An attempt without a final status is SENT_UNCONFIRMED after its validity period and this.
  Micros grace = std::chrono::hours(1);
  Micros price_limit = std::chrono::hours(48);  // a price that is missing then never arrives
};

// What a fetch found, for metrics.
enum class Finding {
  kEnd,          // a final status that no callback reported
  kPrice,        // its price
  kNothing,      // nothing new: fetched again later
  kUnconfirmed,  // no final status in time
  kGivenUp,      // no price in time
};
std::string_view NameOf(Finding finding);  // lower_snake
inline constexpr std::array kFindings{Finding::kEnd, Finding::kPrice, Finding::kNothing,
                                      Finding::kUnconfirmed, Finding::kGivenUp};

// What follows from a fetch. Published before the fetch is recorded.
struct Reconciled {
  Finding finding = Finding::kNothing;
  std::vector<records::v1::Event> events;
  // The final status as a callback would have reported it: retries follow from it in the same way.
  std::optional<records::v1::WebhookRecord> callback;
  bool ended = false;
  bool priced = false;
  std::optional<WallTime> next_time;  // nullopt: this was the last fetch
};

// A pure function of its arguments; except for `next_time`, independent of `now`: a repetition
// gives identical events. `record`: nullopt if the provider does not know the SID.
Reconciled Reconcile(v1::Channel channel, const UnreconciledAttempt& open,
                     const std::optional<ProviderRecord>& record, const ReconcileSchedule& schedule,
                     WallTime now);

// When the provider accepted it, as far as is known.
WallTime AcceptedAt(const UnreconciledAttempt& open);

// When the attempt becomes SENT_UNCONFIRMED.
WallTime UnconfirmedFrom(const UnreconciledAttempt& open, const ReconcileSchedule& schedule);

// When a lookup at the latest ends the reconciliation of the attempt, or the wait for its final
// status if that is missing.
WallTime LastLookupTime(const UnreconciledAttempt& open, const ReconcileSchedule& schedule);

}  // namespace tocsin
