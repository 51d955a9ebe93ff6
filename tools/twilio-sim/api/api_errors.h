// Twilio's error codes: https://www.twilio.com/docs/api/errors
#pragma once

#include <string_view>

namespace tocsin::sim {

// Not a code of Twilio: no error.
constexpr int kNoError = 0;

// Codes that are not specific to a resource.
constexpr int kBadCredentials = 20003;
constexpr int kMethodNotAllowed = 20004;
constexpr int kNotFound = 20404;
constexpr int kNotFinished = 20009;
constexpr int kTooManyRequests = 20429;
constexpr int kServerError = 20500;
constexpr int kInvalidParameters = 20001;

struct ApiError {
  int code;
  int http_status;           // 400 for codes that are used only for deliveries
  std::string_view message;  // not always Twilio's wording: clients must use the code
};

// An unknown code gets 400 and a general message.
ApiError ErrorOf(int code);

}  // namespace tocsin::sim
