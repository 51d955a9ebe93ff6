// What a call is answered when it asks for its text or a key was pressed (pure but for the vault).
#pragma once

#include <string>

#include "common/base/trace.h"
#include "common/domain/call_keys.h"
#include "common/ports/vault.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin::ingress {

// A request of a call that is under way.
struct CallTurn {
  std::string token;  // names the try; goes into the next address, as the trace does
  TraceContext trace = TraceContext::New();
  CallKey key;         // kNone also when the text itself is asked for
  unsigned round = 0;  // how often the alert was spoken; 0: not yet
};

// The round that the query names ("&round=2", at its end): 1 … kMaxCallRounds; anything else is the
// last, so that no strange address makes a call longer.
unsigned RoundOf(std::string_view target);

// TwiML for the turn. Only a turn that speaks the alert again opens its text; kCorrupt or
// kKmsUnavailable when it cannot be opened.
Result<std::string> Script(const CallTurn& turn, const v1::WorkRecord& work, Vault& vault,
                           std::string_view public_base_url);

// Whether the turn speaks the alert; any other can be answered without its work being found.
bool NeedsText(const CallTurn& turn);

}  // namespace tocsin::ingress
