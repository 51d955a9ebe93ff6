// What follows from the outcome of a try (pure).
#pragma once

#include <optional>
#include <vector>

#include "common/domain/backoff.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin {

// How an SMS is tried again. All of it is data.
struct RetryPolicy {
  BackoffPolicy backoff{};  // tries that use the budget
  BackoffPolicy rate{.base = std::chrono::milliseconds(100),
                     .cap = std::chrono::seconds(30)};  // 429, full queues
  BackoffPolicy unreachable{.base = std::chrono::seconds(1),
                            .cap = std::chrono::minutes(1)};  // never sent
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
//   in doubt           IN_DOUBT, then FAILED(IN_DOUBT): a blind resend could reach the person twice
//   ended              the end the rules gave it
// A follow-up never lies after the alert's horizon; where it would, the try is the last. What is
// given up after it reached Twilio is a dead letter too.
Settlement Settle(const v1::WorkRecord& work, const v1::Receipt& receipt, const RetryPolicy& policy,
                  std::string_view sender_address);

// The event that says that the POST of a try is about to begin.
v1::Event TryStarted(const v1::WorkRecord& work, std::int64_t began_us, std::int64_t lease_until_us,
                     std::string_view sender, std::string_view account_sid);

}  // namespace tocsin
