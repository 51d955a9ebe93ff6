#include "tools/twilio-sim/webhooks/webhook_sender.h"

#include <curl/curl.h>

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <stop_token>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/time.h"

namespace tocsin::sim {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kInitialRetryDelay{100};  // doubled for each retry
constexpr milliseconds kMaxPoll{1000};

// libcurl's handles are all void*, so each type needs its own deleter.
struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct MultiDeleter {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, EasyDeleter>;
using HeaderList = std::unique_ptr<curl_slist, ListDeleter>;

// A webhook that is sent. Has no handle between attempts.
struct Job {
  Webhook webhook;
  SteadyTime start = {};  // of the first attempt
  WebhookResponse response = {};
  Easy easy = {};
  HeaderList headers = {};
};

size_t StoreBody(char* data, size_t size, size_t count, void* job) {
  std::string& body = static_cast<Job*>(job)->response.body;
  const size_t room = kMaxWebhookResponse - std::min(body.size(), kMaxWebhookResponse);
  body.append(data, std::min(room, size * count));
  return size * count;
}

HeaderList HeadersOf(const Webhook& webhook) {
  curl_slist* list = nullptr;
  for (const std::string& line :
       {std::string("Content-Type: application/x-www-form-urlencoded; charset=UTF-8"),
        std::string("Accept: */*"), std::string("Expect:"),
        "X-Twilio-Signature: " + webhook.signature,
        "I-Twilio-Idempotency-Token: " + webhook.token}) {
    list = curl_slist_append(list, line.c_str());
  }
  return HeaderList(list);
}

void SetUp(CURL* easy, Job& job, milliseconds left) {
  const CallbackUrl& url = job.webhook.url;
  curl_easy_reset(easy);
  curl_easy_setopt(easy, CURLOPT_URL, url.request.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "TwilioProxy/1.1");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, job.headers.get());
  if (job.webhook.get) {
    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  } else {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(job.webhook.form.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, job.webhook.form.data());
  }
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, StoreBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &job);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &job);
  // Like Twilio: first without credentials, then with them after a challenge.
  if (url.has_userinfo) curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_ANY);
  const milliseconds connect = std::min(url.overrides.connect, left);
  const milliseconds total = std::min(url.overrides.connect + url.overrides.read, left);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect.count()));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(total.count()));
}

// The error code that Twilio's debugger shows for a failed request.
int ErrorCodeOf(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST: return 11210;
    case CURLE_COULDNT_CONNECT: return 11205;
    case CURLE_UNSUPPORTED_PROTOCOL:  // not HTTP/1.1
    case CURLE_WEIRD_SERVER_REPLY: return 11206;
    case CURLE_SSL_CONNECT_ERROR: return 11220;
    case CURLE_PEER_FAILED_VERIFICATION: return 11237;
    default: return 11200;
  }
}

// Whether the connection overrides allow another attempt.
bool WantsRetry(const Job& job, CURLcode code) {
  const ConnectionOverrides& overrides = job.webhook.url.overrides;
  if (job.response.attempts > overrides.retries) return false;
  if (code == CURLE_OK) {
    const int status = job.response.status;
    return (overrides.on_4xx && status / 100 == 4) || (overrides.on_5xx && status / 100 == 5);
  }
  curl_off_t connected = 0;
  curl_easy_getinfo(job.easy.get(), CURLINFO_PRETRANSFER_TIME_T, &connected);
  return connected > 0 ? overrides.on_read : overrides.on_connect;
}

}  // namespace

class WebhookSender::Loop {
 public:
  Loop() : multi_(curl_multi_init()) {
    curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(kMaxWebhooksInFlight));
    thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
  }

  ~Loop() {
    thread_.request_stop();
    curl_multi_wakeup(multi_.get());
    thread_.join();
    for (auto& [job, owned] : in_flight_) curl_multi_remove_handle(multi_.get(), job->easy.get());
  }

  void Post(Webhook webhook) {
    {
      const std::lock_guard lock(mutex_);
      if (counts_.waiting >= kMaxQueuedWebhooks) {
        ++counts_.dropped;
        return;
      }
      ++counts_.posted;
      ++counts_.waiting;
      incoming_.push_back(std::move(webhook));
      if (incoming_.size() > 1) return;  // the thread is already woken
    }
    curl_multi_wakeup(multi_.get());
  }

  void DiscardAll() {
    const std::lock_guard lock(mutex_);
    incoming_.clear();
    discard_ = true;
    curl_multi_wakeup(multi_.get());
  }

  SenderCounts Counts() const {
    const std::lock_guard lock(mutex_);
    return counts_;
  }

 private:
  using JobPtr = std::unique_ptr<Job>;

  void Run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      TakeIncoming();
      StartDue();
      int running = 0;
      curl_multi_perform(multi_.get(), &running);
      CompleteTransfers();
      if (!ready_.empty() && in_flight_.size() < kMaxWebhooksInFlight) continue;
      curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(PollTime().count()), nullptr);
    }
  }

  milliseconds PollTime() const {
    if (delayed_.empty()) return kMaxPoll;
    const auto wait =
        std::chrono::ceil<milliseconds>(delayed_.begin()->first - std::chrono::steady_clock::now());
    return std::clamp(wait, milliseconds(0), kMaxPoll);
  }

  void TakeIncoming() {
    std::vector<Webhook> arrived;
    bool discard = false;
    {
      const std::lock_guard lock(mutex_);
      arrived.swap(incoming_);
      discard = std::exchange(discard_, false);
      if (discard) counts_.waiting = arrived.size();
    }
    if (discard) RemoveAll();
    const SteadyTime now = std::chrono::steady_clock::now();
    for (Webhook& webhook : arrived) {
      auto job = std::make_unique<Job>(Job{.webhook = std::move(webhook)});
      const std::uint64_t order = job->webhook.order;
      if (order != 0) {
        const auto [queue, first] = queues_.try_emplace(order);
        if (!first) {
          queue->second.push_back(std::move(job));
          continue;
        }
      }
      Enqueue(std::move(job), now);
    }
  }

  void Enqueue(JobPtr job, SteadyTime now) {
    const milliseconds delay = job->webhook.delay;
    if (delay.count() == 0) return ready_.push_back(std::move(job));
    delayed_.emplace(now + delay, std::move(job));
  }

  void StartDue() {
    const SteadyTime now = std::chrono::steady_clock::now();
    while (!delayed_.empty() && delayed_.begin()->first <= now) {
      ready_.push_back(std::move(delayed_.begin()->second));
      delayed_.erase(delayed_.begin());
    }
    while (!ready_.empty() && in_flight_.size() < kMaxWebhooksInFlight) {
      JobPtr job = std::move(ready_.front());
      ready_.pop_front();
      Start(std::move(job), now);
    }
  }

  void Start(JobPtr job, SteadyTime now) {
    if (job->response.attempts == 0) job->start = now;
    const auto spent = std::chrono::duration_cast<milliseconds>(now - job->start);
    const milliseconds left = job->webhook.url.overrides.total - spent;
    if (left.count() <= 0) return Finish(std::move(job));
    job->response = {.attempts = job->response.attempts + 1};
    job->headers = HeadersOf(job->webhook);
    job->easy.reset(idle_.empty() ? curl_easy_init() : idle_.back().release());
    if (!idle_.empty()) idle_.pop_back();
    SetUp(job->easy.get(), *job, left);
    curl_multi_add_handle(multi_.get(), job->easy.get());
    {
      const std::lock_guard lock(mutex_);
      ++counts_.attempts;
    }
    Job* const key = job.get();
    in_flight_.emplace(key, std::move(job));
  }

  void CompleteTransfers() {
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      Job* key = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &key);
      curl_multi_remove_handle(multi_.get(), key->easy.get());
      auto node = in_flight_.extract(key);
      HandleResult(std::move(node.mapped()), code);
    }
  }

  void HandleResult(JobPtr job, CURLcode code) {
    if (code == CURLE_OK) {
      long status = 0;
      const char* type = nullptr;
      curl_easy_getinfo(job->easy.get(), CURLINFO_RESPONSE_CODE, &status);
      curl_easy_getinfo(job->easy.get(), CURLINFO_CONTENT_TYPE, &type);
      job->response.status = static_cast<int>(status);
      job->response.content_type = type == nullptr ? "" : type;
    } else {
      job->response.error_code = ErrorCodeOf(code);
    }
    const bool retry = WantsRetry(*job, code);
    idle_.push_back(std::move(job->easy));
    if (!retry) return Finish(std::move(job));
    const SteadyTime now = std::chrono::steady_clock::now();
    const int doublings = job->response.attempts - 1;
    delayed_.emplace(now + kInitialRetryDelay * (1 << doublings), std::move(job));
  }

  void Finish(JobPtr job) {
    {
      const std::lock_guard lock(mutex_);
      --counts_.waiting;
      ++(job->response.status / 100 == 2 ? counts_.acknowledged : counts_.failed);
    }
    if (job->webhook.done) job->webhook.done(job->response);
    const auto queue = queues_.find(job->webhook.order);
    if (queue == queues_.end() || job->webhook.order == 0) return;
    if (queue->second.empty()) {
      queues_.erase(queue);
      return;
    }
    JobPtr next = std::move(queue->second.front());
    queue->second.pop_front();
    Enqueue(std::move(next), std::chrono::steady_clock::now());
  }

  void RemoveAll() {
    for (auto& [job, owned] : in_flight_) curl_multi_remove_handle(multi_.get(), job->easy.get());
    in_flight_.clear();
    ready_.clear();
    delayed_.clear();
    queues_.clear();
  }

  std::unique_ptr<CURLM, MultiDeleter> multi_;

  mutable std::mutex mutex_;
  std::vector<Webhook> incoming_;
  bool discard_ = false;
  SenderCounts counts_;

  // For the thread only.
  std::deque<JobPtr> ready_;
  std::multimap<SteadyTime, JobPtr> delayed_;
  std::unordered_map<std::uint64_t, std::deque<JobPtr>>
      queues_;  // by order; one webhook of each order is in progress
  std::unordered_map<Job*, JobPtr> in_flight_;
  std::vector<Easy> idle_;

  std::jthread thread_;  // last member: stops before the others are destroyed
};

WebhookSender::WebhookSender() : loop_(std::make_unique<Loop>()) {}
WebhookSender::~WebhookSender() = default;
void WebhookSender::Post(Webhook webhook) { loop_->Post(std::move(webhook)); }
void WebhookSender::DiscardAll() { loop_->DiscardAll(); }
SenderCounts WebhookSender::Counts() const { return loop_->Counts(); }

}  // namespace tocsin::sim
