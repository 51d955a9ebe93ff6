// Members of Twilio's JSON resources. Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace tocsin::twilio {

// The member if it is a string, else an empty string.
std::string StringMember(const nlohmann::json& object, const char* name);

// The member if it is an error code (1 to 999 999), else 0.
std::int32_t ErrorCodeMember(const nlohmann::json& object, const char* name);

// The member if it is a decimal number in a string, from 0 to `max`, else `otherwise`.
std::int32_t NumberMember(const nlohmann::json& object, const char* name, std::int32_t max,
                          std::int32_t otherwise);

}  // namespace tocsin::twilio
