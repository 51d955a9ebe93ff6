#include "tools/twilio-sim/api/api_response.h"

#include <fmt/format.h>

#include <utility>

#include "tools/twilio-sim/api/api_errors.h"
#include "tools/twilio-sim/json_writer.h"

namespace tocsin::sim {

ApiResponse JsonResponse(int status, std::string json) {
  return {.http_response = {
              .status = status, .content_type = "application/json", .body = std::move(json)}};
}

ApiResponse NoContentResponse() {
  return {.http_response = {.status = 204, .content_type = {}, .body = {}}};
}

ApiResponse ErrorResponse(int code, const std::string& message) {
  const int status = ErrorOf(code).http_status;
  std::string json;
  ObjectWriter writer(json);
  writer.Number("code", code);
  writer.Text("message", message);
  writer.Text("more_info", fmt::format("https://www.twilio.com/docs/errors/{}", code));
  writer.Number("status", status);
  writer.Close();
  ApiResponse response = JsonResponse(status, std::move(json));
  if (code == kBadCredentials) {
    response.http_response.headers.push_back({"WWW-Authenticate", "Basic realm=\"Twilio API\""});
  }
  return response;
}

ApiResponse ErrorResponse(int code) {
  return ErrorResponse(code, std::string(ErrorOf(code).message));
}

}  // namespace tocsin::sim
