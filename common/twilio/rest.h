// Twilio's REST API (2010-04-01) by libcurl: creating resources and reading lists.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/encoding.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/base/trace.h"
#include "common/domain/registry.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin::twilio {

constexpr std::chrono::seconds kConnectLimit{3};  // name, TCP and TLS together
constexpr std::chrono::seconds kPostLimit{30};    // Twilio may take 26 s to fail
constexpr size_t kMaxAnswer = 256 * 1024;         // bytes of an answer's body; Twilio's have 2 KiB
constexpr size_t kMaxIdleConnections = 256;
constexpr std::chrono::hours kMaxRetryAfter{24};

// What one POST looked like on the wire: for logs and metrics, free of PII.
struct Exchange {
  v1::ReceiptOutcome outcome = v1::RECEIPT_OUTCOME_UNSPECIFIED;
  unsigned http_status = 0;  // 0 when no answer was read
  int provider_code = 0;
  int curl_code = 0;  // libcurl's, 0 when the exchange ended well
  Micros duration{};
  bool new_connection = false;
  std::string request_id;  // Twilio-Request-Id, at most 64 characters; often empty
  TraceContext trace = TraceContext::New();  // the POST as a step of its alert's trace
};

struct RestSettings {
  std::string base_url = "https://api.twilio.com";  // http or https, without a trailing path
  std::string proxy = {};                           // empty: none, whatever the environment says
  std::string ca_file = {};                         // empty: the system's certificate authorities
  std::chrono::milliseconds connect_limit = kConnectLimit;
  std::chrono::milliseconds post_limit = kPostLimit;
  std::function<void(const Exchange&)> observe =
      {};  // called after each POST on the caller's thread; may be empty
};

struct RestCounters {
  std::uint64_t requests = 0;     // requests begun
  std::uint64_t connections = 0;  // connections opened (R8)
};

// Says of each POST whether Twilio took it, refused it, certainly never saw it, or may have taken
// it. It is never sent twice: libcurl re-sends a POST by itself when a kept connection dies, unless
// the body cannot be rewound, and here it cannot. Connections are kept and used again. Safe to call
// from several threads; each caller has a connection of its own.
class RestClient {
 public:
  explicit RestClient(RestSettings settings);
  ~RestClient();
  RestClient(const RestClient&) = delete;
  RestClient& operator=(const RestClient&) = delete;

  // POSTs the form to …/Accounts/{sid}/{resource}, such as "Messages.json". Blocks, the post limit
  // at most and never past `deadline`. Fills outcome, provider_sid, provider_code, http_status,
  // retry_after_us, reason, segments. `trace` goes out in the header `traceparent`.
  v1::Receipt Post(const Account& account, std::string_view resource, const FormFields& form,
                   SteadyTime deadline, const TraceContext& trace = TraceContext::New());

  // Whether Twilio's front can be reached: name, TCP and TLS, without a request. Blocks, the
  // connect limit at most; kTwilioApiError says what was in the way.
  Status Reach() const;

  // GETs `path` of the base URL, which begins with a slash, and gives the answer's body when it is
  // a 200. Blocks, the post limit at most and never past `deadline`. kNotFound for a 404, else
  // fails with kTwilioApiError.
  Result<std::string> Get(const Account& account, const std::string& path, SteadyTime deadline);

  RestCounters Counters() const;

 private:
  struct Pool;

  const RestSettings settings_;
  const std::unique_ptr<Pool> pool_;
};

}  // namespace tocsin::twilio
