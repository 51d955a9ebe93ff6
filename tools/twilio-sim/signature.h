// The signature of a webhook, as Twilio makes it. Written for the simulator alone: it is the oracle
// for the code that guards Tocsin, and shares none of it.
#pragma once

#include <string>
#include <string_view>

#include "common/base/encoding.h"
#include "common/base/secret.h"

namespace tocsin::sim {

// The value of X-Twilio-Signature for a form that is posted to `url` (without fragment and
// userinfo).
std::string Sign(const Secret& auth_token, std::string_view url, const FormFields& fields);

}  // namespace tocsin::sim
