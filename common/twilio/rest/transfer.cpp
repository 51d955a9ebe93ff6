#include "common/twilio/rest/transfer.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/base/failpoint.h"

namespace tocsin::twilio {
namespace {

constexpr long kMaxConnectionAge =
    60;  // seconds idle; Twilio and proxies close after about as long
constexpr size_t kMaxRequestId = 64;
// libcurl's buffers of a transfer, in bytes. A request has about 1 KiB and a response 2 KiB, so its
// defaults (64 KiB and 16 KiB) would be most of the memory of a delivery in progress.
constexpr long kSendBuffer = 16L * 1024;        // libcurl's minimum
constexpr long kReceiveBuffer = 2L * 1024 - 1;  // libcurl adds a byte

// Do not wait for "100 Continue".
std::array<char, 8> expect_nothing{"Expect:"};

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

}  // namespace

void StartLibcurlOnce() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (started != CURLE_OK) std::abort();
}

EasyHandle MakeEasyHandle(const RestSettings& settings) {
  EasyHandle handle(curl_easy_init());
  if (handle == nullptr) std::abort();
  SetOption(handle, CURLOPT_NOSIGNAL, 1L);
  // A transfer that ends during name resolution does not wait for the resolver's thread.
  SetOption(handle, CURLOPT_QUICK_EXIT, 1L);
  SetOption(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  SetOption(handle, CURLOPT_FOLLOWLOCATION, 0L);
  SetOption(handle, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  SetOption(handle, CURLOPT_SSL_VERIFYPEER, 1L);
  SetOption(handle, CURLOPT_SSL_VERIFYHOST, 2L);
  // Only Debian's file of certificates, without the directory of the same ones: libcurl then parses
  // the file once for all connections, not for each of them.
  SetOption(handle, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  SetOption(handle, CURLOPT_PROXY, settings.proxy.c_str());
  return handle;
}

Transfer::Transfer(HttpRequest request) : request_(std::move(request)) {
  if (!request_.authorization.empty()) AddHeader(request_.authorization.data());
  if (!request_.body) return;
  AddHeader(expect_nothing.data());
  if (!request_.traceparent.empty()) AddHeader(request_.traceparent.data());
}

void Transfer::AddHeader(char* line) {
  headers_[header_count_].data = line;
  if (header_count_ > 0) headers_[header_count_ - 1].next = &headers_[header_count_];
  ++header_count_;
}

void Transfer::SetUp(const EasyHandle& handle) {
  SetOption(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  SetOption(handle, CURLOPT_TCP_KEEPALIVE, 1L);
  SetOption(handle, CURLOPT_TCP_NODELAY, 1L);
  SetOption(handle, CURLOPT_MAXAGE_CONN, kMaxConnectionAge);
  SetOption(handle, CURLOPT_UPLOAD_BUFFERSIZE, kSendBuffer);
  SetOption(handle, CURLOPT_BUFFERSIZE, kReceiveBuffer);
  SetOption(handle, CURLOPT_PREREQFUNCTION, &AllowOnePost);
  SetOption(handle, CURLOPT_WRITEFUNCTION, &WriteBody);
  SetOption(handle, CURLOPT_HEADERFUNCTION, &ReadHeader);
}

void Transfer::Attach(const EasyHandle& handle) {
  handle_ = handle.get();
  SetOption(handle, request_.body ? CURLOPT_POST : CURLOPT_HTTPGET, 1L);
  if (request_.body) {
    SetOption(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body->size()));
    SetOption(handle, CURLOPT_POSTFIELDS, request_.body->c_str());
  }
  SetOption(handle, CURLOPT_URL, request_.url.c_str());
  SetOption(handle, CURLOPT_HTTPHEADER, header_count_ > 0 ? headers_.data() : nullptr);
  SetOption(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(request_.timeout.count()));
  for (const CURLoption option : {CURLOPT_PREREQDATA, CURLOPT_WRITEDATA, CURLOPT_HEADERDATA})
    SetOption(handle, option, this);
}

void Transfer::Detach(const EasyHandle& handle, CURLcode code) {
  exchange_.code = code;
  exchange_.submitted = MayHaveBeenSubmitted();
  exchange_.new_connection = GetInfo<long>(handle.get(), CURLINFO_NUM_CONNECTS) > 0;
  exchange_.response.http_status =
      static_cast<unsigned>(GetInfo<long>(handle.get(), CURLINFO_RESPONSE_CODE));
  // The secret is only in the header line of the transfer.
  SetOption(handle, CURLOPT_HTTPHEADER, static_cast<curl_slist*>(nullptr));
  SetOption(handle, CURLOPT_POSTFIELDS, static_cast<const char*>(nullptr));
}

// libcurl has a connection and is about to send the request. When a reused connection fails before
// the first byte of the response, libcurl opens another one and sends the request again, although
// Twilio may have accepted it. Refusing that ends the transfer, and the attempt is in doubt.
int Transfer::AllowOnePost(void* user, char*, char*, int, int) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (!transfer.request_.body) return CURL_PREREQFUNC_OK;
  if (transfer.allowed_ && !TOCSIN_WITHOUT("resend_guard")) return CURL_PREREQFUNC_ABORT;
  transfer.allowed_ = true;
  transfer.reuses_connection_ = GetInfo<long>(transfer.handle_, CURLINFO_NUM_CONNECTS) == 0;
  transfer.sent_before_ = GetInfo<long>(transfer.handle_, CURLINFO_REQUEST_SIZE);
  return CURL_PREREQFUNC_OK;
}

// Whether the server may have received the POST. A connection that was reused may have been
// replaced after it failed, and libcurl's counters then describe the other one.
bool Transfer::MayHaveBeenSubmitted() const {
  if (!allowed_ || reuses_connection_) return allowed_;
  // Of the first write, and of the parts of the body that were written later.
  return GetInfo<long>(handle_, CURLINFO_REQUEST_SIZE) > sent_before_ ||
         GetInfo<curl_off_t>(handle_, CURLINFO_SIZE_UPLOAD_T) > 0;
}

size_t Transfer::WriteBody(char* data, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  std::string& body = transfer.exchange_.response.body;
  if (body.size() + size * count > transfer.request_.max_response) return 0;  // ends the transfer
  body.append(data, size * count);
  return size * count;
}

size_t Transfer::ReadHeader(char* data, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  HttpExchange& exchange = transfer.exchange_;
  const std::string_view line(data, size * count);
  std::string_view value;
  if (transfer.allowed_ && TOCSIN_FAILS_AT("mid_post")) return 0;  // ends the transfer
  if (line.starts_with("HTTP/")) {  // after "100 Continue" too: only the last response counts
    exchange.response.retry_after.reset();
    exchange.request_id.clear();
  } else if (ParseHeader(line, "retry-after", value)) {
    const auto now = std::chrono::time_point_cast<Micros>(std::chrono::system_clock::now());
    exchange.response.retry_after = ParseRetryAfter(value, now);
  } else if (ParseHeader(line, "twilio-request-id", value)) {
    exchange.request_id = value.substr(0, kMaxRequestId);
    std::ranges::replace_if(
        exchange.request_id, [](char c) { return c < '!' || c > '~'; }, '?');
  }
  return size * count;
}

}  // namespace tocsin::twilio
