// Twilio's error codes with class and explanation. Retry decisions use the class, never the code.
// Source: Twilio's error dictionary.
#pragma once

#include <span>
#include <string_view>

#include "tocsin/records/v1/records.pb.h"

namespace tocsin::twilio {

struct ErrorCodeInfo {
  int code;
  records::v1::ProviderErrorClass error_class;
  std::string_view reason;  // what happened: a phrase without a period, free of PII
  std::string_view action;  // what the operator or client should do; "none: …" if nothing
};

// The row of `code`. For an unknown code: a row with code 0 and PROVIDER_ERROR_CLASS_UNKNOWN. The
// reference is valid for the lifetime of the process. Thread-safe.
const ErrorCodeInfo& Describe(int code);

// All rows in ascending order of code.
std::span<const ErrorCodeInfo> AllErrorCodes();

// lower_snake_case, for metrics, logs and `tocsin error-codes`.
std::string_view NameOf(records::v1::ProviderErrorClass error_class);

}  // namespace tocsin::twilio
