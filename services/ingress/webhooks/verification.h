// Whether a request was sent by Twilio (pure).
#pragma once

#include <string_view>
#include <tl/expected.hpp>

#include "common/base/encoding.h"
#include "common/domain/registry/registry.h"
#include "common/http/message.h"
#include "services/ingress/webhooks/result.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin::ingress {

struct VerifiedRequest {
  FormFields fields;                 // decoded; empty for JSON
  const Account* account = nullptr;  // whose auth token signed it; of the snapshot
  records::v1::SigningToken signed_by = records::v1::SIGNING_TOKEN_UNSPECIFIED;
};

// Whether the registry accepts no request of this kind: the channel is disabled, or no account has
// an auth token. For an unspecified kind only the latter.
bool IsChannelDisabled(const RegistrySnapshot& registry, records::v1::WebhookKind kind);

// Decodes the body of a POST and verifies its signature. `public_base_url`: scheme, host, port and
// path prefix by which Twilio reaches this server, without a trailing slash; the signature covers
// it. The account that the request names selects the tokens to verify with. A request that names no
// account of the registry may be signed by any of its accounts.
tl::expected<VerifiedRequest, WebhookResult> Verify(const RegistrySnapshot& registry,
                                                    const http::Request& request,
                                                    std::string_view public_base_url);

}  // namespace tocsin::ingress
