// What a recipient says about being contacted, and the consent that follows. Pure.
#pragma once

#include "common/domain/message/call_keys.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

// The keyword of an inbound message.
enum class ConsentKeyword { kNone, kStop, kStart, kHelp };

// CONSENT_STATE_UNSPECIFIED: nothing follows.
records::v1::ConsentState ConsentStateOf(ConsentKeyword keyword);
records::v1::ConsentState ConsentStateOf(CallKey key);
records::v1::ConsentState ConsentStateOf(records::v1::ProviderErrorClass error_class);

// How a request of this kind shows a consent.
records::v1::ConsentSource ConsentSourceOf(records::v1::WebhookKind kind);

}  // namespace tocsin
