#include "common/domain/message/consent_wish.h"

namespace tocsin {

records::v1::ConsentState ConsentStateOf(ConsentKeyword keyword) {
  switch (keyword) {
    case ConsentKeyword::kStop: return records::v1::CONSENT_STATE_OPTED_OUT;
    case ConsentKeyword::kStart: return records::v1::CONSENT_STATE_OPTED_IN;
    case ConsentKeyword::kNone:
    case ConsentKeyword::kHelp: return records::v1::CONSENT_STATE_UNSPECIFIED;
  }
  return records::v1::CONSENT_STATE_UNSPECIFIED;
}

records::v1::ConsentState ConsentStateOf(CallKey key) {
  return key == CallKey::kOptOut ? records::v1::CONSENT_STATE_OPTED_OUT
                                 : records::v1::CONSENT_STATE_UNSPECIFIED;
}

records::v1::ConsentState ConsentStateOf(records::v1::ProviderErrorClass error_class) {
  return error_class == records::v1::PROVIDER_ERROR_CLASS_OPT_OUT
             ? records::v1::CONSENT_STATE_OPTED_OUT
             : records::v1::CONSENT_STATE_UNSPECIFIED;
}

records::v1::ConsentSource ConsentSourceOf(records::v1::WebhookKind kind) {
  switch (kind) {
    case records::v1::WEBHOOK_KIND_SMS_INBOUND: return records::v1::CONSENT_SOURCE_INBOUND_MESSAGE;
    case records::v1::WEBHOOK_KIND_VOICE_GATHER: return records::v1::CONSENT_SOURCE_KEYPRESS;
    default: return records::v1::CONSENT_SOURCE_STATUS_CALLBACK;
  }
}

}  // namespace tocsin
