// Names of alerts, tries and events. Whatever is named here is a function of its arguments: a
// repetition has the same name.
#pragma once

#include <string>
#include <string_view>

#include "common/base/time.h"
#include "tocsin/v1/types.pb.h"

namespace tocsin {

// UUIDv7 of `now` and 10 random bytes.
std::string NewAlertId(WallTime now, std::string_view random);

// UUIDv8 of the first instant of the UTC day of `now` and the hash of client, key and day: two
// processes that get the same request on one day name the same alert without having to ask each
// other.
std::string KeyedAlertId(WallTime now, std::string_view client_id,
                         std::string_view idempotency_key);

// SHA-256 of client and key, each with its length before it.
std::string IdempotencyDigest(std::string_view client_id, std::string_view idempotency_key);

std::string TryText(const v1::TryName& name);  // "alert_id.step.try"

// UUIDv5 of a try and what happened to it, such as "sending" or "end:FAILED:21614".
std::string EventId(const v1::TryName& name, std::string_view what);

}  // namespace tocsin
