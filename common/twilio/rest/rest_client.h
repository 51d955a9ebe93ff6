// An HTTP client for Twilio's REST API (2010-04-01), by libcurl.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/async/event_loop.h"
#include "common/async/task.h"
#include "common/base/encoding.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/base/trace.h"
#include "common/domain/registry/registry.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin::twilio {

constexpr std::chrono::seconds kConnectTimeout{3};  // name resolution, TCP and TLS together
constexpr std::chrono::seconds kPostTimeout{30};    // Twilio may take 26 s to report an error
constexpr size_t kMaxResponseBody = 256 * 1024;     // bytes; Twilio sends about 2 KiB
constexpr size_t kMaxIdleConnections = 256;         // those in use are not bounded here
constexpr std::chrono::hours kMaxRetryAfter{24};

// One POST, for logs and metrics. Free of PII.
struct PostReport {
  records::v1::AttemptOutcome outcome = records::v1::ATTEMPT_OUTCOME_UNSPECIFIED;
  unsigned http_status = 0;  // 0 if no response was read
  int provider_code = 0;
  int curl_code = 0;  // CURLcode; 0 for success
  Micros duration{};
  bool new_connection = false;
  std::string request_id;  // Twilio-Request-Id, at most 64 characters; often empty
  TraceContext trace = TraceContext::New();  // the span of the POST
};

struct RestSettings {
  std::string base_url = "https://api.twilio.com";  // http or https, without a trailing path
  std::string proxy = {};  // empty: none; environment variables are ignored
  std::chrono::milliseconds connect_timeout = kConnectTimeout;
  std::chrono::milliseconds post_timeout = kPostTimeout;
  // Called after each POST on the loop's thread. May be empty.
  std::function<void(const PostReport&)> observe = {};
};

struct RestCounters {
  std::uint64_t requests = 0;     // started
  std::uint64_t connections = 0;  // opened
};

class Transfers;
struct HttpExchange;
struct HttpRequest;

// Determines for each POST whether Twilio accepted it, refused it, certainly did not receive it, or
// may have accepted it. Never sends a POST twice: libcurl would when a reused connection fails.
//
// Used on the loop's thread; many requests may be in progress, each on a connection of its own.
// Connections are reused. A request whose task is destroyed ends at once: its connection is closed.
// All tasks must have ended before the client is destroyed, and no task that awaits it destroys it.
class RestClient {
 public:
  // `loop` outlives the client.
  RestClient(EventLoop& loop, RestSettings settings);
  ~RestClient();
  RestClient(const RestClient&) = delete;
  RestClient& operator=(const RestClient&) = delete;

  // POSTs the form to …/Accounts/{sid}/{resource}, such as "Messages.json". Ends after post_timeout
  // and at `deadline` at the latest. Sets outcome, provider_sid, provider_code, error_class,
  // http_status, retry_after_us, reason and segment_count. `trace` is sent as `traceparent`. The
  // arguments need not outlive the call.
  Task<records::v1::AttemptResult> Post(const Account& account, std::string_view resource,
                                        const FormFields& form, SteadyTime deadline,
                                        const TraceContext& trace = TraceContext::New());

  // GETs `path`, which begins with a slash, and returns the body of a 200 response of at most
  // `max_body` bytes. Ends after post_timeout and at `deadline` at the latest. Fails with kNotFound
  // for 404, else kTwilioApiError. The arguments need not outlive the call.
  Task<Result<std::string>> Get(const Account& account, const std::string& path,
                                SteadyTime deadline, size_t max_body = kMaxResponseBody);

  // Connects (name resolution, TCP, TLS) without sending a request. Blocks, at most
  // connect_timeout. Fails with kTwilioApiError and the cause. On any thread.
  Status CheckConnectivity() const;

  // Opens a connection for the next request by a GET without credentials, whose response does not
  // matter. Ends after connect_timeout.
  Task<void> OpenConnection();

  RestCounters Counters() const;

 private:
  Task<records::v1::AttemptResult> PerformPost(HttpRequest request, SteadyTime deadline,
                                               TraceContext trace);
  Task<Result<std::string>> PerformGet(HttpRequest request, SteadyTime deadline);
  std::chrono::milliseconds TimeLeft(SteadyTime deadline) const;
  void Report(const HttpExchange& exchange, const records::v1::AttemptResult& result,
              SteadyTime begin, const TraceContext& trace) const;

  const RestSettings settings_;
  const std::string base_;  // settings_.base_url without a trailing slash
  const std::unique_ptr<Transfers> transfers_;
};

}  // namespace tocsin::twilio
