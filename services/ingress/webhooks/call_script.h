// What a call plays next: the TwiML for a request of the call (pure, except for the vault).
#pragma once

#include <optional>
#include <string>

#include "common/base/time.h"
#include "common/base/trace.h"
#include "common/domain/message/call_keys.h"
#include "common/http/message.h"
#include "common/ports/topics.h"
#include "common/ports/vault.h"
#include "services/ingress/webhooks/routes.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin::ingress {

// A request that Twilio makes during a call.
struct ScriptRequest {
  std::string token;  // names the attempt; part of the next URL, like the trace
  TraceContext trace = TraceContext::New();
  CallKey key;         // kNone also if the text itself is requested
  unsigned round = 0;  // how often the alert was spoken; 0: not yet
};

// Nothing if the request is not one of a call, or if it does not name an attempt of ours in a call
// that can still be in progress.
std::optional<ScriptRequest> ScriptRequestOf(const Route& route, const http::Request& request,
                                             const records::v1::WebhookRecord& record,
                                             const TraceContext& trace, const Topics& topics,
                                             WallTime now);

// The round in the query ("&round=2" at its end): 1 to kMaxCallRounds. Any other value is the last
// round, so that no URL makes a call longer.
unsigned RoundOf(std::string_view target);

// Whether the response speaks the alert. Any other response needs no work record.
bool NeedsText(const ScriptRequest& request);

// The TwiML. Opens the text only if NeedsText(). Fails as OpenContent() does.
Result<std::string> Script(const ScriptRequest& request, const records::v1::WorkRecord& work,
                           Vault& vault, std::string_view public_base_url);

}  // namespace tocsin::ingress
