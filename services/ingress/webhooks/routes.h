// The paths of Twilio's requests.
#pragma once

#include <optional>
#include <string_view>

#include "common/base/encoding.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin::ingress {

struct Route {
  // Unspecified for the alias /relay/twilio/webhook, which takes every kind: see KindOf().
  records::v1::WebhookKind kind;
  std::string_view token;  // the attempt token of the path; empty without one
};

// Nothing for an unknown path. The token is a view into `path`.
std::optional<Route> RouteOf(std::string_view path);

// The kind that the fields of a request show; unspecified if they show none.
records::v1::WebhookKind KindOf(const FormFields& fields);

// Whether a request of this kind is sent by Twilio during a call.
bool IsDuringCall(records::v1::WebhookKind kind);

}  // namespace tocsin::ingress
