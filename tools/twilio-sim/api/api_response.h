// The response of the simulator to a request, and when it is sent.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "common/http/message.h"

namespace tocsin::sim {

constexpr std::string_view kApiVersion = "2010-04-01";
constexpr std::string_view kPriceUnit = "USD";
constexpr size_t kMaxFormFields = 256;  // of a request

struct ApiResponse {
  http::Response http_response;
  std::chrono::milliseconds delay{0};  // before it is sent
};

ApiResponse JsonResponse(int status, std::string json);
ApiResponse NoContentResponse();  // 204

// Twilio's error resource for an error code, with its HTTP status.
ApiResponse ErrorResponse(int code);
ApiResponse ErrorResponse(int code, const std::string& message);

}  // namespace tocsin::sim
