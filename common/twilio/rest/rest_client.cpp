#include "common/twilio/rest/rest_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <utility>

#include "common/base/failpoint.h"
#include "common/twilio/rest/post_response.h"
#include "common/twilio/rest/transfer.h"
#include "common/twilio/rest/transfers.h"

namespace tocsin::twilio {
namespace {

using std::chrono::milliseconds;

constexpr unsigned kOk = 200;
constexpr unsigned kNotFound = 404;

std::string WithoutTrailingSlash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

// RFC 7617. As a header line of the request, because libcurl's own options for credentials stay in
// its handles.
std::string AuthorizationOf(const Account& account) {
  return "Authorization: Basic " + Base64Encode(account.sid + ':' + account.auth_token.Reveal());
}

records::v1::AttemptResult WithoutResponse(records::v1::AttemptOutcome outcome, ErrorCode reason) {
  records::v1::AttemptResult result;
  result.set_outcome(outcome);
  result.set_reason(std::string(TraitsOf(reason).name));
  return result;
}

// The result after a libcurl error. The error code does not show whether Twilio may have accepted
// the POST: when a reused connection fails, libcurl opens another one, and the code describes that.
records::v1::AttemptResult ResultOfError(const HttpExchange& exchange) {
  if (!exchange.submitted)
    return WithoutResponse(records::v1::ATTEMPT_OUTCOME_NOT_SENT, ErrorCode::kTwilioApiError);
  return WithoutResponse(records::v1::ATTEMPT_OUTCOME_IN_DOUBT, ErrorCode::kInDoubt);
}

}  // namespace

RestClient::RestClient(EventLoop& loop, RestSettings settings)
    : settings_(std::move(settings)),
      base_(WithoutTrailingSlash(settings_.base_url)),
      transfers_(std::make_unique<Transfers>(loop, settings_)) {}

RestClient::~RestClient() = default;

milliseconds RestClient::TimeLeft(SteadyTime deadline) const {
  return std::min(settings_.post_timeout,
                  std::chrono::floor<milliseconds>(deadline - std::chrono::steady_clock::now()));
}

Task<records::v1::AttemptResult> RestClient::Post(const Account& account, std::string_view resource,
                                                  const FormFields& form, SteadyTime deadline,
                                                  const TraceContext& trace) {
  HttpRequest request{.url = base_ + "/2010-04-01/Accounts/" + PercentEncode(account.sid) + '/' +
                             std::string(resource),
                      .authorization = AuthorizationOf(account),
                      .traceparent = "traceparent: " + trace.Text(),
                      .body = FormEncode(form)};
  return PerformPost(std::move(request), deadline, trace);
}

Task<records::v1::AttemptResult> RestClient::PerformPost(HttpRequest request, SteadyTime deadline,
                                                         TraceContext trace) {
  const SteadyTime begin = std::chrono::steady_clock::now();
  request.timeout = TimeLeft(deadline);
  if (request.timeout <= milliseconds(0))
    co_return WithoutResponse(records::v1::ATTEMPT_OUTCOME_NOT_SENT, ErrorCode::kTwilioApiError);
  const HttpExchange exchange = co_await transfers_->Perform(std::move(request));
  const bool complete = exchange.code == CURLE_OK && !TOCSIN_FAILS_AT("response_read");
  records::v1::AttemptResult result =
      complete ? AttemptResultOf(exchange.response) : ResultOfError(exchange);
  result.set_http_status(static_cast<std::int32_t>(exchange.response.http_status));
  if (settings_.observe) Report(exchange, result, begin, trace);
  co_return result;
}

void RestClient::Report(const HttpExchange& exchange, const records::v1::AttemptResult& result,
                        SteadyTime begin, const TraceContext& trace) const {
  settings_.observe(
      {.outcome = result.outcome(),
       .http_status = exchange.response.http_status,
       .provider_code = result.provider_code(),
       .curl_code = static_cast<int>(exchange.code),
       .duration = std::chrono::duration_cast<Micros>(std::chrono::steady_clock::now() - begin),
       .new_connection = exchange.new_connection,
       .request_id = exchange.request_id,
       .trace = trace});
}

Task<Result<std::string>> RestClient::Get(const Account& account, const std::string& path,
                                          SteadyTime deadline, size_t max_body) {
  HttpRequest request{
      .url = base_ + path, .authorization = AuthorizationOf(account), .max_response = max_body};
  return PerformGet(std::move(request), deadline);
}

Task<Result<std::string>> RestClient::PerformGet(HttpRequest request, SteadyTime deadline) {
  request.timeout = TimeLeft(deadline);
  if (request.timeout <= milliseconds(0))
    co_return Fail(ErrorCode::kTwilioApiError, "deadline exceeded before the request");
  HttpExchange exchange = co_await transfers_->Perform(std::move(request));
  if (exchange.code != CURLE_OK)
    co_return Fail(ErrorCode::kTwilioApiError,
                   std::string("no response from Twilio: ") + curl_easy_strerror(exchange.code));
  if (exchange.response.http_status != kOk)
    co_return Fail(
        exchange.response.http_status == kNotFound ? ErrorCode::kNotFound
                                                   : ErrorCode::kTwilioApiError,
        "Twilio responded with HTTP status " + std::to_string(exchange.response.http_status));
  co_return std::move(exchange.response.body);
}

Status RestClient::CheckConnectivity() const {
  const EasyHandle handle = MakeEasyHandle(settings_);
  SetOption(handle, CURLOPT_URL, settings_.base_url.c_str());
  SetOption(handle, CURLOPT_CONNECT_ONLY, 1L);
  SetOption(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(settings_.connect_timeout.count()));
  const CURLcode code = curl_easy_perform(handle.get());
  if (code == CURLE_OK) return {};
  return Fail(ErrorCode::kTwilioApiError,
              std::string("Twilio is unreachable: ") + curl_easy_strerror(code));
}

Task<void> RestClient::OpenConnection() {
  HttpRequest request{.url = base_ + '/', .timeout = settings_.connect_timeout};
  co_await transfers_->Perform(std::move(request));
}

RestCounters RestClient::Counters() const {
  return {.requests = transfers_->started(), .connections = transfers_->connections()};
}

}  // namespace tocsin::twilio
