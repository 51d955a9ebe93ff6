// One HTTP transfer by libcurl.
#pragma once

#include <curl/curl.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "common/twilio/rest/post_response.h"
#include "common/twilio/rest/rest_client.h"

namespace tocsin::twilio {

struct EasyHandleDeleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
using EasyHandle = std::unique_ptr<CURL, EasyHandleDeleter>;

// Sets an option. Aborts if libcurl does not support it: without it, a guarantee would be lost
// silently.
template <typename Value>
void SetOption(const EasyHandle& handle, CURLoption option, Value value) {
  if (curl_easy_setopt(handle.get(), option, value) != CURLE_OK) std::abort();
}

// What libcurl knows about a transfer. `Value` has the type that libcurl documents for `info`.
template <typename Value>
Value GetInfo(CURL* handle, CURLINFO info) {
  Value value{};
  if (curl_easy_getinfo(handle, info, &value) != CURLE_OK) std::abort();
  return value;
}

void StartLibcurlOnce();  // before any other use of libcurl

// A handle with the options of all requests: protocols, TLS, proxy, no redirections.
EasyHandle MakeEasyHandle(const RestSettings& settings);

// A POST of a form if it has a body, else a GET.
struct HttpRequest {
  std::string url;
  std::string authorization = {};          // header line; contains the secret; empty: none
  std::string traceparent = {};            // header line; empty: none
  std::optional<std::string> body = {};    // not empty
  size_t max_response = kMaxResponseBody;  // bytes of its body; more is CURLE_WRITE_ERROR
  std::chrono::milliseconds timeout = {};  // of the whole transfer, above 0
};

struct HttpExchange {
  CURLcode code = CURLE_OK;
  bool submitted = false;  // the server may have received the POST
  bool new_connection = false;
  HttpResponse response = {};  // http_status 0: none was received
  std::string request_id = {};
};

// Gives the request to libcurl and receives the response. A POST is sent at most once.
class Transfer {
 public:
  explicit Transfer(HttpRequest request);
  Transfer(const Transfer&) = delete;  // libcurl has its address
  Transfer& operator=(const Transfer&) = delete;

  // Sets the options that are the same for all transfers.
  static void SetUp(const EasyHandle& handle);

  // Sets the options of this transfer. It must outlive the use of the handle until Detach().
  void Attach(const EasyHandle& handle);

  // Reads what the handle knows about the ended transfer, and leaves nothing of it in the handle.
  void Detach(const EasyHandle& handle, CURLcode code);

  HttpExchange TakeExchange() { return std::move(exchange_); }

 private:
  static int AllowOnePost(void* user, char*, char*, int, int);
  static size_t WriteBody(char* data, size_t size, size_t count, void* user);
  static size_t ReadHeader(char* data, size_t size, size_t count, void* user);

  void AddHeader(char* line);
  bool MayHaveBeenSubmitted() const;

  HttpRequest request_;
  std::array<curl_slist, 3> headers_{};
  size_t header_count_ = 0;
  CURL* handle_ = nullptr;
  bool allowed_ = false;            // libcurl may send the POST
  bool reuses_connection_ = false;  // for the POST
  long sent_before_ = 0;            // bytes, to a proxy
  HttpExchange exchange_;
};

}  // namespace tocsin::twilio
