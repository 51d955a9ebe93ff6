// The addresses that Twilio is given for its requests to us.
#pragma once

#include <string>
#include <string_view>

#include "common/base/trace.h"
#include "common/domain/topics.h"
#include "common/ports/carrier.h"
#include "common/ports/vault.h"

namespace tocsin::twilio {

// Connection overrides of every callback URL: five retries on any failure, 3 s for an answer, 15 s
// in all. Twilio's default is one retry, on a failed connect only.
constexpr std::string_view kCallbackOverrides = "#rc=5&rp=all&rt=3000&tt=15000";

// The query of a callback URL that leads the trace on. Twilio's signature covers it.
constexpr std::string_view kTraceQuery = "?traceparent=";

// What follows the trace where the keys of a call go.
constexpr std::string_view kRoundQuery = "&round=";

// The token that names the dispatch's try and the place of its work. kInvalidArgument when the
// alert's id is no UUID.
Result<std::string> TokenFor(const Dispatch& dispatch, v1::Channel channel, const Topics& topics,
                             Vault& vault, WallTime now);

// `base` and `path` ("/twilio/sms/status/"), the token, the trace, more of the query or nothing
// ("&round=1"), and the overrides.
std::string CallbackLink(std::string_view base, std::string_view path, std::string_view token,
                         const TraceContext& trace, std::string_view query = {});

// Where the keys of a call go that was spoken `round` times.
std::string KeysLink(std::string_view base, std::string_view token, const TraceContext& trace,
                     unsigned round);

}  // namespace tocsin::twilio
