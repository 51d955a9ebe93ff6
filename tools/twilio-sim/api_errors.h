// Twilio's error codes as its API answers them: https://www.twilio.com/docs/api/errors
#pragma once

#include <string_view>

namespace tocsin::sim {

// Not a code of Twilio's: the request is fine.
constexpr int kNoError = 0;

// Codes that the API front answers itself, whatever the resource.
constexpr int kBadCredentials = 20003;
constexpr int kMethodNotAllowed = 20004;
constexpr int kNotFound = 20404;
constexpr int kNotFinished = 20009;
constexpr int kTooManyRequests = 20429;
constexpr int kServerError = 20500;
constexpr int kUnreadableForm = 20001;

struct ApiError {
  int code;
  int http_status;           // of a refusal; codes of delivery have none and say 400
  std::string_view message;  // our wording: clients decide by code
};

// The row of a code; an unknown code keeps its number, with 400 and a general text.
ApiError ErrorOf(int code);

}  // namespace tocsin::sim
