// Twilio's signature of a webhook. Shares no code with the verification in Tocsin, which is tested
// against it.
#pragma once

#include <string>
#include <string_view>

#include "common/base/encoding.h"
#include "common/base/secret.h"

namespace tocsin::sim {

// The value of X-Twilio-Signature for a form POST to `url` (without fragment and userinfo).
std::string Sign(const Secret& auth_token, std::string_view url, const FormFields& fields);

}  // namespace tocsin::sim
