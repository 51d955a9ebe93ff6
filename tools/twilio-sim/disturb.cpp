#include "tools/twilio-sim/disturb.h"

#include <string>
#include <string_view>

#include "tools/twilio-sim/api_errors.h"
#include "tools/twilio-sim/rest_api.h"

namespace tocsin::sim {
namespace {

constexpr std::string_view kProxyPage =
    "<html>\n<head><title>503 Service Temporarily Unavailable</title></head>\n<body>\n"
    "<center><h1>503 Service Temporarily Unavailable</h1></center>\n</body>\n</html>\n";
constexpr std::string_view kGatewayPage =
    "<html>\n<head><title>502 Bad Gateway</title></head>\n<body>\n"
    "<center><h1>502 Bad Gateway</h1></center>\n</body>\n</html>\n";

Reply Page(int status, std::string_view page) {
  return {.response = {.status = status, .content_type = "text/html", .body = std::string(page)}};
}

}  // namespace

bool AcceptsNothing(FaultKind kind) {
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

Reply Disturb(Reply plain, const Fault& fault, const CreateFaults& settings) {
  switch (fault.kind) {
    case FaultKind::kNone: break;
    case FaultKind::kTooMany:
      plain = ErrorReply(kTooManyRequests);
      if (fault.retry_after) {
        plain.response.headers.push_back({"Retry-After", std::to_string(*fault.retry_after)});
      }
      break;
    case FaultKind::kError500:
    case FaultKind::kError500After: plain = ErrorReply(kServerError); break;
    case FaultKind::kHtml503: plain = Page(503, kProxyPage); break;
    case FaultKind::kHtml502After: plain = Page(502, kGatewayPage); break;
    case FaultKind::kResetBefore:
    case FaultKind::kResetAfter: plain.response.delivery = http::Delivery::kReset; break;
    case FaultKind::kTimeoutBefore:
    case FaultKind::kTimeoutAfter:
      plain.response.delivery = http::Delivery::kReset;
      plain.delay = settings.hold;
      break;
    case FaultKind::kCloseReused:
    case FaultKind::kCloseReusedAfter: plain.response.delivery = http::Delivery::kClose; break;
    case FaultKind::kSlow: plain.delay = settings.slow; break;
    case FaultKind::kSlowBytes:
      plain.response.delivery = http::Delivery::kSlow;
      plain.response.spread = settings.slow;
      break;
    case FaultKind::kEarly: plain.delay = settings.early; break;
    case FaultKind::kRefuse: plain = ErrorReply(fault.code); break;
  }
  plain.delay += settings.latency;
  return plain;
}

}  // namespace tocsin::sim
