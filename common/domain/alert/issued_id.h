// Ids of alerts without an idempotency key. Such an id proves to which client it was issued, so the
// store need not know an alert that no worker has claimed yet
// (docs/decisions/0020-ids-that-prove-their-client.md).
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.h"

namespace tocsin {

// How long the store keeps the state of an alert after its expire time, at least.
constexpr std::chrono::hours kAlertStateRetention{48};

// A digest of a text under a key that never changes, at least 3 bytes.
using KeyedDigest = std::function<std::string(std::string_view text)>;

// What an id proves of its alert.
struct IssuedId {
  WallTime create_time;
  // Not before the expire time. Until then the store has the alert's state if a worker has claimed
  // it: later than that, an alert that the store does not know is over.
  WallTime until;
  bool emergency = false;
};

struct IssuedAlert {
  WallTime create_time;
  WallTime expire_time;
  bool emergency = false;
  std::string_view client_id;
};

// UUIDv7: the create time in ms, 47 of the random bits (`random` has at least 10 bytes), 2 bits for
// the life of the alert, 1 for an emergency, and 24 bits of the digest of these and the client.
std::string IssueAlertId(const IssuedAlert& alert, std::string_view random,
                         const KeyedDigest& digest);

// Nothing if the id was not issued to this client; a guess succeeds once in 16 million.
std::optional<IssuedId> ReadIssuedId(std::string_view alert_id, std::string_view client_id,
                                     const KeyedDigest& digest);

}  // namespace tocsin
