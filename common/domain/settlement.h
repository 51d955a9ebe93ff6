// What follows from the outcome of a try (pure).
#pragma once

#include <optional>
#include <vector>

#include "common/domain/backoff.h"
#include "common/domain/call_retry.h"
#include "common/domain/doubt.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin {

// How a try is tried again. All of it is data.
struct RetryPolicy {
  BackoffPolicy backoff{};  // tries that use the budget
  BackoffPolicy rate{.base = std::chrono::milliseconds(100),
                     .cap = std::chrono::seconds(30)};  // 429, full queues
  BackoffPolicy unreachable{.base = std::chrono::seconds(1),
                            .cap = std::chrono::minutes(1)};  // never sent
  BackoffPolicy delivery{.base = std::chrono::minutes(1)};    // taken, and not delivered
  DoubtSchedule doubt{};
  CallRetryPolicy calls{};  // that were placed, and reached nobody
};

// Everything the outcome demands, to be published before the record's offset is stored.
struct Settlement {
  std::vector<v1::Event> events;
  std::optional<v1::WorkRecord> follow_up;  // due at its due_time_us
  std::optional<v1::DeadRecord> dead;       // without position
  std::optional<v1::ConsentRecord> consent;
};

// A function of work record, receipt and policy: whoever repeats it gets the same to the byte.
//   accepted           SENT
//   refused            by the class of Twilio's code: opt-out is SUPPRESSED and observed as a
//   consent; a full queue
//                      waits, using no budget; account trouble is tried again within the budget;
//                      the rest FAILED
//   rate limited       waits, using no budget; never less than Retry-After
//   not sent           waits, using no budget: Twilio is out of reach, and nothing was asked of it
//   in doubt           IN_DOUBT, and a look that settles it: a blind resend could reach the person
//                      twice
//   ended              the end the rules gave it; a doubt that nothing settled is FAILED(IN_DOUBT),
//                      and is sent again only where the policy says so, within the budget
// A follow-up never lies after the alert's horizon; where it would, the try is the last. What is
// given up after it reached Twilio is a dead letter too.
Settlement Settle(const v1::WorkRecord& work, const v1::Receipt& receipt, const RetryPolicy& policy,
                  std::string_view sender_address);

// Whether what a callback tells is a failure after the carrier took the try that another try may
// mend: by the class of its code; of a call, that it reached nobody (UnreachedBy).
bool MayTryAgain(const v1::WebhookRecord& callback);

// What follows from such a failure: the next try within budget and horizon, the next call within
// the cap of its schedule and the horizon, else a dead letter. A last call that met a machine has
// told it the alert and leaves none. `work` is that of the try the callback names.
Settlement SettleUndelivered(const v1::WorkRecord& work, const v1::WebhookRecord& callback,
                             const RetryPolicy& policy);

// The event that says that the POST of a try is about to begin.
v1::Event TryStarted(const v1::WorkRecord& work, std::int64_t began_us, std::int64_t lease_until_us,
                     std::string_view sender, std::string_view account_sid);

}  // namespace tocsin
