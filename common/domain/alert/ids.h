// Ids of alerts and events. All ids are pure functions of the arguments: a repetition has the same
// id.
#pragma once

#include <string>
#include <string_view>

#include "common/base/time.h"
#include "tocsin/v1/types.pb.h"

namespace tocsin {

// UUIDv7 of `now` and 10 random bytes.
std::string NewAlertId(WallTime now, std::string_view random);

// UUIDv8 of the start of the UTC day of `now` and the hash of client, key, request and day: two
// processes that receive the same request on the same day assign the same id without coordination,
// and another request with the same key gets another id. `request_digest`: of the canonical form.
std::string KeyedAlertId(WallTime now, std::string_view client_id, std::string_view idempotency_key,
                         std::string_view request_digest);

// SHA-256 of client and key, each preceded by its length.
std::string IdempotencyDigest(std::string_view client_id, std::string_view idempotency_key);

std::string AttemptText(const v1::AttemptRef& name);  // "alert_id.step.attempt"

// UUIDv5 of an attempt and a seed that identifies what happened to it, such as "started/<lease>" or
// "status/<number>/<SID>/<resolved by>/<time>". Seeds contain numbers of enums, never their names,
// so that renaming does not change an id.
std::string EventId(const v1::AttemptRef& name, std::string_view seed);

}  // namespace tocsin
