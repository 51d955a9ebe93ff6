#include "common/twilio/rest/rest_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <utility>
#include <vector>

#include "common/base/failpoint.h"
#include "common/twilio/rest/post_response.h"

namespace tocsin::twilio {
namespace {

using std::chrono::milliseconds;

constexpr long kMaxConnectionAge =
    60;  // seconds idle; Twilio and proxies close after about as long
constexpr size_t kMaxRequestId = 64;
constexpr unsigned kOk = 200;
constexpr unsigned kNotFound = 404;

struct HandleDeleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
using Handle = std::unique_ptr<CURL, HandleDeleter>;

struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, ListDeleter>;

// One request in progress, shared with libcurl's callbacks.
struct Transfer {
  std::string body;
  size_t submitted = 0;  // bytes of the body passed to libcurl
  HttpResponse response;
  std::string request_id;
  size_t max_body = kMaxResponseBody;  // bytes of the response
};

size_t ReadBody(char* buffer, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  // A read after the end: libcurl retries on another connection, because it could not write any of
  // the body, but it does not rewind and would send an empty body.
  if (transfer.submitted == transfer.body.size()) return CURL_READFUNC_ABORT;
  const size_t part = std::min(size * count, transfer.body.size() - transfer.submitted);
  transfer.body.copy(buffer, part, transfer.submitted);
  transfer.submitted += part;
  return part;
}

// Without this, libcurl rewinds the body and resends the POST when a reused connection fails before
// the first byte of the response, although Twilio may have accepted it. With this, it fails with
// CURLE_SEND_FAIL_REWIND, and the attempt is in doubt.
int RefuseToRewind([[maybe_unused]] void* user, curl_off_t, int) {
  if (TOCSIN_WITHOUT("rewind_guard")) {
    static_cast<Transfer*>(user)->submitted = 0;
    return CURL_SEEKFUNC_OK;
  }
  return CURL_SEEKFUNC_FAIL;
}

size_t WriteBody(char* data, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  HttpResponse& response = transfer.response;
  if (response.body.size() + size * count > transfer.max_body) return 0;  // ends the transfer
  response.body.append(data, size * count);
  return size * count;
}

bool ParseHeader(std::string_view line, std::string_view name, std::string_view& value) {
  if (line.size() <= name.size() || line[name.size()] != ':' ||
      !std::ranges::equal(
          line.substr(0, name.size()), name, {},
          [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c + 0; },
          [](char c) { return c + 0; }))
    return false;
  line.remove_prefix(name.size() + 1);
  const size_t begin = line.find_first_not_of(" \t\r\n");
  value = begin == std::string_view::npos
              ? ""
              : line.substr(begin, line.find_last_not_of(" \t\r\n") - begin + 1);
  return true;
}

size_t ReadHeader(char* data, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view line(data, size * count);
  std::string_view value;
  if (transfer.submitted > 0 && TOCSIN_FAILS_AT("mid_post")) return 0;  // ends the transfer
  if (line.starts_with("HTTP/")) {  // after "100 Continue" too: only the last response counts
    transfer.response.retry_after.reset();
    transfer.request_id.clear();
  } else if (ParseHeader(line, "retry-after", value)) {
    const auto now = std::chrono::time_point_cast<Micros>(std::chrono::system_clock::now());
    transfer.response.retry_after = ParseRetryAfter(value, now);
  } else if (ParseHeader(line, "twilio-request-id", value)) {
    transfer.request_id = value.substr(0, kMaxRequestId);
    std::ranges::replace_if(
        transfer.request_id, [](char c) { return c < '!' || c > '~'; }, '?');
  }
  return size * count;
}

// Aborts if libcurl does not support the option: without it, a guarantee would be lost silently.
template <typename Value>
void Set(const Handle& handle, CURLoption option, Value value) {
  if (curl_easy_setopt(handle.get(), option, value) != CURLE_OK) std::abort();
}

void StartLibcurlOnce() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (started != CURLE_OK) std::abort();
}

records::v1::AttemptResult WithoutResponse(records::v1::AttemptOutcome outcome, ErrorCode reason) {
  records::v1::AttemptResult result;
  result.set_outcome(outcome);
  result.set_reason(std::string(TraitsOf(reason).name));
  return result;
}

// The result after a libcurl error. If libcurl read none of the body, Twilio certainly did not
// accept the POST. The error code and the count of sent bytes cannot show this: when a reused
// connection fails, libcurl opens another one before it detects that it cannot rewind, and both
// then describe the second connection.
records::v1::AttemptResult ResultOfError(const Transfer& transfer) {
  if (transfer.submitted == 0)
    return WithoutResponse(records::v1::ATTEMPT_OUTCOME_NOT_SENT, ErrorCode::kTwilioApiError);
  return WithoutResponse(records::v1::ATTEMPT_OUTCOME_IN_DOUBT, ErrorCode::kInDoubt);
}

List HeadersOf(const TraceContext& trace) {
  List headers;
  for (const std::string& line : {std::string("Content-Type: application/x-www-form-urlencoded"),
                                  std::string("Expect:"),  // do not wait for "100 Continue"
                                  "traceparent: " + trace.Text()}) {
    curl_slist* const longer = curl_slist_append(headers.get(), line.c_str());
    if (longer == nullptr) std::abort();
    static_cast<void>(headers.release());
    headers.reset(longer);
  }
  return headers;
}

// Options of all requests.
void SetCommonOptions(const Handle& handle, const RestSettings& settings) {
  Set(handle, CURLOPT_NOSIGNAL, 1L);
  Set(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  Set(handle, CURLOPT_FOLLOWLOCATION, 0L);
  Set(handle, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  Set(handle, CURLOPT_SSL_VERIFYPEER, 1L);
  Set(handle, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!settings.ca_file.empty()) Set(handle, CURLOPT_CAINFO, settings.ca_file.c_str());
  Set(handle, CURLOPT_PROXY, settings.proxy.c_str());
}

}  // namespace

// Idle handles, each with a connection. The most recently used one is reused first, because its
// connection is the least likely to be closed.
struct RestClient::Pool {
  explicit Pool(const RestSettings& settings) {
    base = settings.base_url;
    while (base.ends_with('/')) base.pop_back();
    accounts = base + "/2010-04-01/Accounts/";
  }

  Handle Acquire(const RestSettings& settings) {
    {
      const std::lock_guard lock(mutex);
      if (!idle.empty()) {
        Handle handle = std::move(idle.back());
        idle.pop_back();
        return handle;
      }
    }
    return Make(settings);
  }

  void Release(Handle handle) {
    const std::lock_guard lock(mutex);
    if (idle.size() < kMaxIdleConnections) idle.push_back(std::move(handle));
  }

  Handle Make(const RestSettings& settings) const {
    Handle handle(curl_easy_init());
    if (handle == nullptr) std::abort();
    SetCommonOptions(handle, settings);
    Set(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    Set(handle, CURLOPT_TCP_KEEPALIVE, 1L);
    Set(handle, CURLOPT_TCP_NODELAY, 1L);
    Set(handle, CURLOPT_MAXCONNECTS, 1L);
    Set(handle, CURLOPT_MAXAGE_CONN, kMaxConnectionAge);
    Set(handle, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    Set(handle, CURLOPT_READFUNCTION, &ReadBody);
    Set(handle, CURLOPT_SEEKFUNCTION, &RefuseToRewind);
    Set(handle, CURLOPT_WRITEFUNCTION, &WriteBody);
    Set(handle, CURLOPT_HEADERFUNCTION, &ReadHeader);
    return handle;
  }

  struct Performed {
    CURLcode code;
    bool new_connection;
  };
  // A POST with the span `trace`, or a GET if `trace` is null.
  Performed Perform(const RestSettings& settings, const Account& account, const std::string& url,
                    const TraceContext* trace, milliseconds timeout, Transfer& transfer) {
    Handle handle = Acquire(settings);
    const List headers = trace ? HeadersOf(*trace) : List();
    Set(handle, trace ? CURLOPT_POST : CURLOPT_HTTPGET, 1L);
    Set(handle, CURLOPT_HTTPHEADER, headers.get());
    Set(handle, CURLOPT_URL, url.c_str());
    Set(handle, CURLOPT_USERNAME, account.sid.c_str());
    Set(handle, CURLOPT_PASSWORD, account.auth_token.Reveal().c_str());
    Set(handle, CURLOPT_CONNECTTIMEOUT_MS,
        static_cast<long>(std::min(settings.connect_timeout, timeout).count()));
    Set(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
    Set(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(transfer.body.size()));
    for (const CURLoption option :
         {CURLOPT_READDATA, CURLOPT_SEEKDATA, CURLOPT_WRITEDATA, CURLOPT_HEADERDATA})
      Set(handle, option, &transfer);
    ++requests;
    const CURLcode code = curl_easy_perform(handle.get());
    long opened = 0;
    long http_status = 0;
    curl_easy_getinfo(handle.get(), CURLINFO_NUM_CONNECTS, &opened);
    curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &http_status);
    connections += static_cast<std::uint64_t>(opened);
    transfer.response.http_status = static_cast<unsigned>(http_status);
    Set(handle, CURLOPT_HTTPHEADER, static_cast<curl_slist*>(nullptr));
    // An idle handle must not keep the secret.
    Set(handle, CURLOPT_PASSWORD, static_cast<const char*>(nullptr));
    Release(std::move(handle));
    return {code, opened > 0};
  }

  std::string base;      // without a trailing slash
  std::string accounts;  // prefix of the resources of accounts
  std::mutex mutex;
  std::vector<Handle> idle;
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> connections{0};
};

RestClient::RestClient(RestSettings settings)
    : settings_(std::move(settings)),
      pool_((StartLibcurlOnce(), std::make_unique<Pool>(settings_))) {}

RestClient::~RestClient() = default;

records::v1::AttemptResult RestClient::Post(const Account& account, std::string_view resource,
                                            const FormFields& form, SteadyTime deadline,
                                            const TraceContext& trace) {
  const SteadyTime begin = std::chrono::steady_clock::now();
  const auto timeout =
      std::min(settings_.post_timeout, std::chrono::floor<milliseconds>(deadline - begin));
  if (timeout <= milliseconds(0))
    return WithoutResponse(records::v1::ATTEMPT_OUTCOME_NOT_SENT, ErrorCode::kTwilioApiError);

  Transfer transfer{.body = FormEncode(form), .response = {}, .request_id = {}};
  const std::string url =
      pool_->accounts + PercentEncode(account.sid) + "/" + std::string(resource);
  const auto [code, new_connection] =
      pool_->Perform(settings_, account, url, &trace, timeout, transfer);
  const bool complete = code == CURLE_OK && !TOCSIN_FAILS_AT("response_read");
  records::v1::AttemptResult result =
      complete ? AttemptResultOf(transfer.response) : ResultOfError(transfer);
  result.set_http_status(transfer.response.http_status);
  if (settings_.observe)
    settings_.observe(
        {.outcome = result.outcome(),
         .http_status = transfer.response.http_status,
         .provider_code = result.provider_code(),
         .curl_code = static_cast<int>(code),
         .duration = std::chrono::duration_cast<Micros>(std::chrono::steady_clock::now() - begin),
         .new_connection = new_connection,
         .request_id = std::move(transfer.request_id),
         .trace = trace});
  return result;
}

Result<std::string> RestClient::Get(const Account& account, const std::string& path,
                                    SteadyTime deadline, size_t max_body) {
  const auto timeout =
      std::min(settings_.post_timeout,
               std::chrono::floor<milliseconds>(deadline - std::chrono::steady_clock::now()));
  if (timeout <= milliseconds(0))
    return Fail(ErrorCode::kTwilioApiError, "deadline exceeded before the request");
  Transfer transfer{.body = {}, .response = {}, .request_id = {}, .max_body = max_body};
  const CURLcode code =
      pool_->Perform(settings_, account, pool_->base + path, /*trace=*/nullptr, timeout, transfer)
          .code;
  if (code != CURLE_OK)
    return Fail(ErrorCode::kTwilioApiError,
                std::string("no response from Twilio: ") + curl_easy_strerror(code));
  if (transfer.response.http_status != kOk)
    return Fail(
        transfer.response.http_status == kNotFound ? ErrorCode::kNotFound
                                                   : ErrorCode::kTwilioApiError,
        "Twilio responded with HTTP status " + std::to_string(transfer.response.http_status));
  return std::move(transfer.response.body);
}

Status RestClient::CheckConnectivity() const {
  const Handle handle(curl_easy_init());
  if (handle == nullptr) std::abort();
  SetCommonOptions(handle, settings_);
  Set(handle, CURLOPT_URL, settings_.base_url.c_str());
  Set(handle, CURLOPT_CONNECT_ONLY, 1L);
  Set(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(settings_.connect_timeout.count()));
  const CURLcode code = curl_easy_perform(handle.get());
  if (code == CURLE_OK) return {};
  return Fail(ErrorCode::kTwilioApiError,
              std::string("Twilio is unreachable: ") + curl_easy_strerror(code));
}

RestCounters RestClient::Counters() const {
  return {.requests = pool_->requests, .connections = pool_->connections};
}

}  // namespace tocsin::twilio
