#include "tools/twilio-sim/api/fault_response.h"

#include <string>
#include <string_view>

#include "tools/twilio-sim/api/api_errors.h"

namespace tocsin::sim {
namespace {

constexpr std::string_view kUnavailablePage =
    "<html>\n<head><title>503 Service Temporarily Unavailable</title></head>\n<body>\n"
    "<center><h1>503 Service Temporarily Unavailable</h1></center>\n</body>\n</html>\n";
constexpr std::string_view kGatewayPage =
    "<html>\n<head><title>502 Bad Gateway</title></head>\n<body>\n"
    "<center><h1>502 Bad Gateway</h1></center>\n</body>\n</html>\n";

ApiResponse Page(int status, std::string_view page) {
  return {
      .http_response = {.status = status, .content_type = "text/html", .body = std::string(page)}};
}

}  // namespace

bool PreventsCreation(FaultKind kind) {
  switch (kind) {
    case FaultKind::kTooMany:
    case FaultKind::kError500:
    case FaultKind::kHtml503:
    case FaultKind::kResetBefore:
    case FaultKind::kTimeoutBefore:
    case FaultKind::kCloseReused:
    case FaultKind::kRefuse: return true;
    case FaultKind::kNone:
    case FaultKind::kError500After:
    case FaultKind::kHtml502After:
    case FaultKind::kResetAfter:
    case FaultKind::kTimeoutAfter:
    case FaultKind::kCloseReusedAfter:
    case FaultKind::kSlow:
    case FaultKind::kSlowBytes:
    case FaultKind::kEarly: return false;
  }
  return false;
}

ApiResponse ApplyFault(ApiResponse response, const Fault& fault, const CreateFaults& settings) {
  switch (fault.kind) {
    case FaultKind::kNone: break;
    case FaultKind::kTooMany:
      response = ErrorResponse(kTooManyRequests);
      if (fault.retry_after) {
        response.http_response.headers.push_back(
            {"Retry-After", std::to_string(*fault.retry_after)});
      }
      break;
    case FaultKind::kError500:
    case FaultKind::kError500After: response = ErrorResponse(kServerError); break;
    case FaultKind::kHtml503: response = Page(503, kUnavailablePage); break;
    case FaultKind::kHtml502After: response = Page(502, kGatewayPage); break;
    case FaultKind::kResetBefore:
    case FaultKind::kResetAfter: response.http_response.delivery = http::Delivery::kReset; break;
    case FaultKind::kTimeoutBefore:
    case FaultKind::kTimeoutAfter:
      response.http_response.delivery = http::Delivery::kReset;
      response.delay = settings.hold;
      break;
    case FaultKind::kCloseReused:
    case FaultKind::kCloseReusedAfter:
      response.http_response.delivery = http::Delivery::kClose;
      break;
    case FaultKind::kSlow: response.delay = settings.slow; break;
    case FaultKind::kSlowBytes:
      response.http_response.delivery = http::Delivery::kSlow;
      response.http_response.send_duration = settings.slow;
      break;
    case FaultKind::kEarly: response.delay = settings.early; break;
    case FaultKind::kRefuse: response = ErrorResponse(fault.code); break;
  }
  response.delay += settings.latency;
  return response;
}

}  // namespace tocsin::sim
