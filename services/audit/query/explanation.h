// Error codes and reasons in words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tocsin::audit {

// What a reason of the closed list means for an attempt; empty for an unknown reason.
std::string_view ExplainReason(std::string_view reason);

// What an attempt's error means: Twilio's code in words, else the reason in words; empty if neither
// is known. A phrase without a period, free of PII.
std::string Explain(std::int32_t provider_code, std::string_view reason);

}  // namespace tocsin::audit
