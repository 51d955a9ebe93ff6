// The TwiML that responds to an inbound message. Pure.
#pragma once

#include <string>
#include <string_view>

#include "common/domain/message/ack_reply.h"

namespace tocsin::twilio {

// The response to a reply that acknowledges or declines: a message in this language (en, fr, de,
// es, else in English), or nothing to kNoAlert, because the reply may have been meant for somebody
// else.
std::string AckReplyTwiml(std::string_view language_code, AckReplyKind kind, AckReplyResult result);

}  // namespace tocsin::twilio
