// The records that a verified request of Twilio is published as.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/http/message.h"
#include "common/ports/topics.h"
#include "common/ports/vault.h"
#include "common/twilio/webhooks/ack_reply.h"
#include "services/ingress/webhooks/routes.h"
#include "services/ingress/webhooks/verification.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin::ingress {

// The webhook record. Fails only as Vault::Seal() does: what Twilio signed is published even if its
// fields are unknown or invalid, or its token is not ours (then without an attempt).
Result<records::v1::WebhookRecord> MakeWebhookRecord(const Route& route,
                                                     const http::Request& request,
                                                     const VerifiedRequest& verified, Vault& vault,
                                                     const Topics& topics, WallTime now);

// The consents that the request shows: one for each address of our side, the phone number and the
// messaging service. The request does not show by which of them a sender of the registry is known.
std::vector<records::v1::ConsentRecord> ConsentsOf(const records::v1::WebhookRecord& record,
                                                   const FormFields& fields);

// The reply by which the request acknowledges or declines an alert. An opt-out is none.
std::optional<twilio::AckReply> AckReplyOf(const records::v1::WebhookRecord& record,
                                           const FormFields& fields);

// The acknowledgement by a key press, if no alert can be marked. A repetition of the request is
// received at another time and gives another event. Its client is found by the audit.
records::v1::Event AcknowledgedByKeypress(const records::v1::WebhookRecord& press,
                                          const std::string& person);

}  // namespace tocsin::ingress
