#include "common/twilio/rest.h"

#include <curl/curl.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <utility>
#include <vector>

#include "common/base/failpoint.h"
#include "common/twilio/answer.h"

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

// One exchange while it is under way: what libcurl's callbacks read and write.
struct Transfer {
  std::string body;
  size_t handed_over = 0;  // bytes of the body
  Answer answer;
  std::string request_id;
};

size_t ReadBody(char* buffer, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  // Asked again after the end: libcurl starts anew on another connection, for nothing of the body
  // could be written, but it does not rewind then and would send an empty body.
  if (transfer.handed_over == transfer.body.size()) return CURL_READFUNC_ABORT;
  const size_t part = std::min(size * count, transfer.body.size() - transfer.handed_over);
  transfer.body.copy(buffer, part, transfer.handed_over);
  transfer.handed_over += part;
  return part;
}

// Without this libcurl rewinds the body and sends the POST again when a kept connection dies before
// the first byte of the answer. It may have been taken by then: CURLE_SEND_FAIL_REWIND comes
// instead, and is in doubt.
int RefuseToRewind([[maybe_unused]] void* user, curl_off_t, int) {
  if (TOCSIN_WITHOUT("rewind_guard")) {
    static_cast<Transfer*>(user)->handed_over = 0;
    return CURL_SEEKFUNC_OK;
  }
  return CURL_SEEKFUNC_FAIL;
}

size_t WriteAnswer(char* data, size_t size, size_t count, void* user) {
  auto& answer = static_cast<Transfer*>(user)->answer;
  if (answer.body.size() + size * count > kMaxAnswer) return 0;  // ends the transfer
  answer.body.append(data, size * count);
  return size * count;
}

bool TakeHeader(std::string_view line, std::string_view name, std::string_view& value) {
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
  if (transfer.handed_over > 0 && TOCSIN_FAILS_AT("mid_post")) return 0;  // ends the transfer
  if (line.starts_with("HTTP/")) {  // also after "100 Continue": only the last answer counts
    transfer.answer.retry_after.reset();
    transfer.request_id.clear();
  } else if (TakeHeader(line, "retry-after", value)) {
    const auto now = std::chrono::time_point_cast<Micros>(std::chrono::system_clock::now());
    transfer.answer.retry_after = ParseRetryAfter(value, now);
  } else if (TakeHeader(line, "twilio-request-id", value)) {
    transfer.request_id = value.substr(0, kMaxRequestId);
    std::ranges::replace_if(
        transfer.request_id, [](char c) { return c < '!' || c > '~'; }, '?');
  }
  return size * count;
}

// The one place where an option is set: an option that libcurl refuses would weaken a promise in
// silence.
template <typename Value>
void Set(const Handle& handle, CURLoption option, Value value) {
  if (curl_easy_setopt(handle.get(), option, value) != CURLE_OK) std::abort();
}

void StartLibcurlOnce() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (started != CURLE_OK) std::abort();
}

v1::Receipt Unanswered(v1::ReceiptOutcome outcome, ErrorCode reason) {
  v1::Receipt receipt;
  receipt.set_outcome(outcome);
  receipt.set_reason(std::string(TraitsOf(reason).name));
  return receipt;
}

// What is known after libcurl gave up: a POST of whose body nothing was handed over was certainly
// not taken. Not by libcurl's code or its count of written bytes: when a kept connection dies,
// libcurl opens another one before it finds that it cannot rewind, and both then tell of that one
// only.
v1::Receipt ReceiptOfFault(const Transfer& transfer) {
  if (transfer.handed_over == 0)
    return Unanswered(v1::RECEIPT_OUTCOME_NOT_SENT, ErrorCode::kTwilioApiError);
  return Unanswered(v1::RECEIPT_OUTCOME_IN_DOUBT, ErrorCode::kInDoubt);
}

List HeadersOf(const TraceContext& trace) {
  List headers;
  for (const std::string& line : {std::string("Content-Type: application/x-www-form-urlencoded"),
                                  std::string("Expect:"),  // no waiting for "100 Continue"
                                  "traceparent: " + trace.Text()}) {
    curl_slist* const longer = curl_slist_append(headers.get(), line.c_str());
    if (longer == nullptr) std::abort();
    static_cast<void>(headers.release());
    headers.reset(longer);
  }
  return headers;
}

// What every exchange holds to, be it a POST or a look whether Twilio can be reached.
void SetSafety(const Handle& handle, const RestSettings& settings) {
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

// Handles that wait for their next POST, each with its kept connection. The last one used is taken
// first: its connection is the least likely to have been closed meanwhile.
struct RestClient::Pool {
  explicit Pool(const RestSettings& settings) {
    base = settings.base_url;
    while (base.ends_with('/')) base.pop_back();
    accounts = base + "/2010-04-01/Accounts/";
  }

  Handle Take(const RestSettings& settings) {
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

  void GiveBack(Handle handle) {
    const std::lock_guard lock(mutex);
    if (idle.size() < kMaxIdleConnections) idle.push_back(std::move(handle));
  }

  Handle Make(const RestSettings& settings) const {
    Handle handle(curl_easy_init());
    if (handle == nullptr) std::abort();
    SetSafety(handle, settings);
    Set(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    Set(handle, CURLOPT_TCP_KEEPALIVE, 1L);
    Set(handle, CURLOPT_TCP_NODELAY, 1L);
    Set(handle, CURLOPT_MAXCONNECTS, 1L);
    Set(handle, CURLOPT_MAXAGE_CONN, kMaxConnectionAge);
    Set(handle, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    Set(handle, CURLOPT_READFUNCTION, &ReadBody);
    Set(handle, CURLOPT_SEEKFUNCTION, &RefuseToRewind);
    Set(handle, CURLOPT_WRITEFUNCTION, &WriteAnswer);
    Set(handle, CURLOPT_HEADERFUNCTION, &ReadHeader);
    return handle;
  }

  // What libcurl said of one exchange, and whether it opened a connection for it.
  struct Ended {
    CURLcode code;
    bool opened;
  };
  // A POST within `trace`; a GET without one.
  Ended Perform(const RestSettings& settings, const Account& account, const std::string& url,
                const TraceContext* trace, milliseconds limit, Transfer& transfer) {
    Handle handle = Take(settings);
    const List headers = trace ? HeadersOf(*trace) : List();
    Set(handle, trace ? CURLOPT_POST : CURLOPT_HTTPGET, 1L);
    Set(handle, CURLOPT_HTTPHEADER, headers.get());
    Set(handle, CURLOPT_URL, url.c_str());
    Set(handle, CURLOPT_USERNAME, account.sid.c_str());
    Set(handle, CURLOPT_PASSWORD, account.auth_token.Reveal().c_str());
    Set(handle, CURLOPT_CONNECTTIMEOUT_MS,
        static_cast<long>(std::min(settings.connect_limit, limit).count()));
    Set(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(limit.count()));
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
    transfer.answer.http_status = static_cast<unsigned>(http_status);
    Set(handle, CURLOPT_HTTPHEADER, static_cast<curl_slist*>(nullptr));
    // The secret stays no longer than it is needed.
    Set(handle, CURLOPT_PASSWORD, static_cast<const char*>(nullptr));
    GiveBack(std::move(handle));
    return {code, opened > 0};
  }

  std::string base;      // without a trailing slash
  std::string accounts;  // where the resources of accounts begin
  std::mutex mutex;
  std::vector<Handle> idle;
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> connections{0};
};

RestClient::RestClient(RestSettings settings)
    : settings_(std::move(settings)),
      pool_((StartLibcurlOnce(), std::make_unique<Pool>(settings_))) {}

RestClient::~RestClient() = default;

v1::Receipt RestClient::Post(const Account& account, std::string_view resource,
                             const FormFields& form, SteadyTime deadline,
                             const TraceContext& trace) {
  const SteadyTime begin = std::chrono::steady_clock::now();
  const auto limit =
      std::min(settings_.post_limit, std::chrono::floor<milliseconds>(deadline - begin));
  if (limit <= milliseconds(0))
    return Unanswered(v1::RECEIPT_OUTCOME_NOT_SENT, ErrorCode::kTwilioApiError);

  Transfer transfer{.body = FormEncode(form), .answer = {}, .request_id = {}};
  const std::string url =
      pool_->accounts + PercentEncode(account.sid) + "/" + std::string(resource);
  const auto [code, opened] = pool_->Perform(settings_, account, url, &trace, limit, transfer);
  const bool read = code == CURLE_OK && !TOCSIN_FAILS_AT("response_read");
  v1::Receipt receipt = read ? ReceiptOf(transfer.answer) : ReceiptOfFault(transfer);
  receipt.set_http_status(transfer.answer.http_status);
  if (settings_.observe)
    settings_.observe(
        {.outcome = receipt.outcome(),
         .http_status = transfer.answer.http_status,
         .provider_code = receipt.provider_code(),
         .curl_code = static_cast<int>(code),
         .duration = std::chrono::duration_cast<Micros>(std::chrono::steady_clock::now() - begin),
         .new_connection = opened,
         .request_id = std::move(transfer.request_id),
         .trace = trace});
  return receipt;
}

Result<std::string> RestClient::Get(const Account& account, const std::string& path,
                                    SteadyTime deadline) {
  const auto limit =
      std::min(settings_.post_limit,
               std::chrono::floor<milliseconds>(deadline - std::chrono::steady_clock::now()));
  if (limit <= milliseconds(0))
    return Fail(ErrorCode::kTwilioApiError, "no time was left to ask Twilio");
  Transfer transfer{.body = {}, .answer = {}, .request_id = {}};
  const CURLcode code =
      pool_->Perform(settings_, account, pool_->base + path, /*trace=*/nullptr, limit, transfer)
          .code;
  if (code != CURLE_OK)
    return Fail(ErrorCode::kTwilioApiError,
                std::string("Twilio did not answer: ") + curl_easy_strerror(code));
  if (transfer.answer.http_status != kOk)
    return Fail(transfer.answer.http_status == kNotFound ? ErrorCode::kNotFound
                                                         : ErrorCode::kTwilioApiError,
                "Twilio answered HTTP " + std::to_string(transfer.answer.http_status));
  return std::move(transfer.answer.body);
}

Status RestClient::Reach() const {
  const Handle handle(curl_easy_init());
  if (handle == nullptr) std::abort();
  SetSafety(handle, settings_);
  Set(handle, CURLOPT_URL, settings_.base_url.c_str());
  Set(handle, CURLOPT_CONNECT_ONLY, 1L);
  Set(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(settings_.connect_limit.count()));
  const CURLcode code = curl_easy_perform(handle.get());
  if (code == CURLE_OK) return {};
  return Fail(ErrorCode::kTwilioApiError,
              std::string("Twilio cannot be reached: ") + curl_easy_strerror(code));
}

RestCounters RestClient::Counters() const {
  return {.requests = pool_->requests, .connections = pool_->connections};
}

}  // namespace tocsin::twilio
