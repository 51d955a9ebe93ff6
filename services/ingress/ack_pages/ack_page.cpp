#include "services/ingress/ack_pages/ack_page.h"

#include <string>

#include "common/base/digest.h"
#include "common/base/encoding.h"

namespace tocsin::ingress {
namespace {

constexpr const char* kRetrySeconds = "10";
constexpr std::string_view kStyle =
    "body{font:1.2rem/1.5 sans-serif;margin:2rem auto;max-width:28rem;padding:0 1rem}"
    "button{font:inherit;padding:1rem;width:100%}";

struct Page {
  int status;
  std::string_view title;
  std::string_view text;
  std::string_view button = {};  // empty: the page has none
};

Page PageOf(AckLinkResult result) {
  switch (result) {
    case AckLinkResult::kShown:
      return {200, "Acknowledge the alert",
              "Press the button to confirm that you have received the alert.", "Acknowledge"};
    case AckLinkResult::kAcknowledged:
      return {200, "Acknowledged", "Thank you. You can close this page."};
    case AckLinkResult::kAlreadyAcknowledged:
      return {200, "Already acknowledged",
              "The alert was acknowledged before. You can close this page."};
    case AckLinkResult::kCancelled:
      return {409, "Cancelled", "The alert was cancelled. There is nothing to acknowledge."};
    case AckLinkResult::kInvalidToken:
      return {404, "Link not valid", "Open the link in the message again, or copy all of it."};
    case AckLinkResult::kExpired:
      return {410, "Expired", "The alert has expired. The link cannot acknowledge it any more."};
    case AckLinkResult::kWrongMethod:
      return {405, "Method not allowed", "Open the link in a browser."};
    case AckLinkResult::kUnavailable:
      return {503, "Not acknowledged yet",
              "The service is not available. Try again in a minute. If it is urgent, call the "
              "sender of the alert.",
              "Try again"};
  }
  return {500, "Error", "Try again in a minute."};
}

// A form without an action posts to the URL of the page.
std::string HtmlOf(const Page& page) {
  std::string html =
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>";
  html.append(page.title).append("</title>\n<style>").append(kStyle);
  html.append("</style>\n</head>\n<body>\n<h1>").append(page.title).append("</h1>\n<p>");
  html.append(page.text).append("</p>\n");
  if (!page.button.empty())
    html.append("<form method=\"post\"><button>").append(page.button).append("</button></form>\n");
  return html.append("</body>\n</html>\n");
}

const std::string& ContentSecurityPolicy() {
  static const std::string policy = "default-src 'none'; style-src 'sha256-" +
                                    Base64Encode(Sha256(kStyle)) +
                                    "'; form-action 'self'; frame-ancestors 'none'; "
                                    "base-uri 'none'";
  return policy;
}

}  // namespace

std::string_view NameOf(AckLinkResult result) {
  switch (result) {
    case AckLinkResult::kShown: return "shown";
    case AckLinkResult::kAcknowledged: return "acknowledged";
    case AckLinkResult::kAlreadyAcknowledged: return "already_acknowledged";
    case AckLinkResult::kCancelled: return "cancelled";
    case AckLinkResult::kInvalidToken: return "invalid_token";
    case AckLinkResult::kExpired: return "expired";
    case AckLinkResult::kWrongMethod: return "wrong_method";
    case AckLinkResult::kUnavailable: return "unavailable";
  }
  return "unknown";
}

http::Response AckPage(AckLinkResult result) {
  const Page page = PageOf(result);
  http::Response response{.status = page.status,
                          .content_type = "text/html; charset=utf-8",
                          .body = HtmlOf(page),
                          .headers = {{"Cache-Control", "no-store"},
                                      {"Content-Security-Policy", ContentSecurityPolicy()},
                                      {"Referrer-Policy", "no-referrer"},
                                      {"X-Content-Type-Options", "nosniff"},
                                      {"X-Robots-Tag", "noindex"}}};
  if (result == AckLinkResult::kWrongMethod)
    response.headers.push_back({"Allow", "GET, HEAD, POST"});
  if (result == AckLinkResult::kUnavailable)
    response.headers.push_back({"Retry-After", kRetrySeconds});
  return response;
}

}  // namespace tocsin::ingress
