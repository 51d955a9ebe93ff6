// The URLs of Tocsin that Twilio requests.
#pragma once

#include <string>
#include <string_view>

#include "common/base/trace.h"
#include "common/ports/provider.h"
#include "common/ports/topics.h"
#include "common/ports/vault.h"

namespace tocsin::twilio {

// Connection overrides of every callback URL: five retries after any failure, 3 s for a response,
// 15 s in total. Twilio's default is one retry after a failed connect.
constexpr std::string_view kCallbackOverrides = "#rc=5&rp=all&rt=3000&tt=15000";

// The query parameter that continues the trace. Covered by Twilio's signature.
constexpr std::string_view kTraceQuery = "?traceparent=";

// The query parameter of a gather URL: how often the alert was spoken so far.
constexpr std::string_view kRoundQuery = "&round=";

// The attempt token of the dispatch. Fails with kInvalidArgument if the alert_id is not a UUID.
Result<std::string> AttemptTokenFor(const Dispatch& dispatch, v1::Channel channel,
                                    const Topics& topics, Vault& vault, WallTime now);

// `base`, `path` ("/twilio/sms/status/"), the token, the trace, `query` ("&round=1" or empty), and
// the overrides.
std::string CallbackUrl(std::string_view base, std::string_view path, std::string_view token,
                        const TraceContext& trace, std::string_view query = {});

// The action of <Gather>: receives the key pressed after the alert was spoken `round` times.
std::string GatherUrl(std::string_view base, std::string_view token, const TraceContext& trace,
                      unsigned round);

}  // namespace tocsin::twilio
