#include "tools/twilio-sim/callbacks.h"

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

constexpr milliseconds kFirstRetryWait{100};  // doubled for each retry
constexpr milliseconds kLongestPoll{1000};

// libcurl's handles are all void*: each needs a deleter of its own.
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

// A webhook under way: between tries it has no handle.
struct Job {
  Webhook webhook;
  SteadyTime began = {};  // of the first try
  WebhookAnswer answer = {};
  Easy easy = {};
  HeaderList headers = {};
};

size_t KeepAnswer(char* data, size_t size, size_t count, void* job) {
  std::string& body = static_cast<Job*>(job)->answer.body;
  const size_t room = kMaxWebhookAnswer - std::min(body.size(), kMaxWebhookAnswer);
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
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, KeepAnswer);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &job);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &job);
  // First without credentials; they follow when they are asked for, as Twilio does it.
  if (url.has_userinfo) curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_ANY);
  const milliseconds connect = std::min(url.overrides.connect, left);
  const milliseconds whole = std::min(url.overrides.connect + url.overrides.read, left);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect.count()));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(whole.count()));
}

// What Twilio's debugger says of an exchange that failed.
int FaultOf(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST: return 11210;
    case CURLE_COULDNT_CONNECT: return 11205;
    case CURLE_UNSUPPORTED_PROTOCOL:  // what came was not HTTP/1.1
    case CURLE_WEIRD_SERVER_REPLY: return 11206;
    case CURLE_SSL_CONNECT_ERROR: return 11220;
    case CURLE_PEER_FAILED_VERIFICATION: return 11237;
    default: return 11200;
  }
}

// Whether the address asks for another try after this one.
bool WantsRetry(const Job& job, CURLcode code) {
  const Overrides& overrides = job.webhook.url.overrides;
  if (job.answer.tries > overrides.retries) return false;
  if (code == CURLE_OK) {
    const int status = job.answer.status;
    return (overrides.on_4xx && status / 100 == 4) || (overrides.on_5xx && status / 100 == 5);
  }
  curl_off_t connected = 0;
  curl_easy_getinfo(job.easy.get(), CURLINFO_PRETRANSFER_TIME_T, &connected);
  return connected > 0 ? overrides.on_read : overrides.on_connect;
}

}  // namespace

class Callbacks::Sender {
 public:
  Sender() : multi_(curl_multi_init()) {
    curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(kMaxCallbacksInFlight));
    thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
  }

  ~Sender() {
    thread_.request_stop();
    curl_multi_wakeup(multi_.get());
    thread_.join();
    for (auto& [job, owned] : flying_) curl_multi_remove_handle(multi_.get(), job->easy.get());
  }

  void Post(Webhook webhook) {
    {
      const std::lock_guard lock(mutex_);
      if (counts_.waiting >= kMaxQueuedCallbacks) {
        ++counts_.dropped;
        return;
      }
      ++counts_.posted;
      ++counts_.waiting;
      inbox_.push_back(std::move(webhook));
      if (inbox_.size() > 1) return;  // the thread has been woken already
    }
    curl_multi_wakeup(multi_.get());
  }

  void Forget() {
    const std::lock_guard lock(mutex_);
    inbox_.clear();
    forget_ = true;
    curl_multi_wakeup(multi_.get());
  }

  CallbackCounts Counts() const {
    const std::lock_guard lock(mutex_);
    return counts_;
  }

 private:
  using JobPtr = std::unique_ptr<Job>;

  void Run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      TakeInbox();
      StartDue();
      int running = 0;
      curl_multi_perform(multi_.get(), &running);
      Reap();
      if (!ready_.empty() && flying_.size() < kMaxCallbacksInFlight) continue;
      curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(PollTime().count()), nullptr);
    }
  }

  milliseconds PollTime() const {
    if (later_.empty()) return kLongestPoll;
    const auto wait =
        std::chrono::ceil<milliseconds>(later_.begin()->first - std::chrono::steady_clock::now());
    return std::clamp(wait, milliseconds(0), kLongestPoll);
  }

  void TakeInbox() {
    std::vector<Webhook> arrived;
    bool forget = false;
    {
      const std::lock_guard lock(mutex_);
      arrived.swap(inbox_);
      forget = std::exchange(forget_, false);
      if (forget) counts_.waiting = arrived.size();
    }
    if (forget) DropAll();
    const SteadyTime now = std::chrono::steady_clock::now();
    for (Webhook& webhook : arrived) {
      auto job = std::make_unique<Job>(Job{.webhook = std::move(webhook)});
      const std::uint64_t order = job->webhook.order;
      if (order != 0) {
        const auto [line, first] = lines_.try_emplace(order);
        if (!first) {
          line->second.push_back(std::move(job));
          continue;
        }
      }
      Schedule(std::move(job), now);
    }
  }

  void Schedule(JobPtr job, SteadyTime now) {
    const milliseconds delay = job->webhook.delay;
    if (delay.count() == 0) return ready_.push_back(std::move(job));
    later_.emplace(now + delay, std::move(job));
  }

  void StartDue() {
    const SteadyTime now = std::chrono::steady_clock::now();
    while (!later_.empty() && later_.begin()->first <= now) {
      ready_.push_back(std::move(later_.begin()->second));
      later_.erase(later_.begin());
    }
    while (!ready_.empty() && flying_.size() < kMaxCallbacksInFlight) {
      JobPtr job = std::move(ready_.front());
      ready_.pop_front();
      Start(std::move(job), now);
    }
  }

  void Start(JobPtr job, SteadyTime now) {
    if (job->answer.tries == 0) job->began = now;
    const auto spent = std::chrono::duration_cast<milliseconds>(now - job->began);
    const milliseconds left = job->webhook.url.overrides.total - spent;
    if (left.count() <= 0) return Finish(std::move(job));
    job->answer = {.tries = job->answer.tries + 1};
    job->headers = HeadersOf(job->webhook);
    job->easy.reset(idle_.empty() ? curl_easy_init() : idle_.back().release());
    if (!idle_.empty()) idle_.pop_back();
    SetUp(job->easy.get(), *job, left);
    curl_multi_add_handle(multi_.get(), job->easy.get());
    {
      const std::lock_guard lock(mutex_);
      ++counts_.tries;
    }
    Job* const key = job.get();
    flying_.emplace(key, std::move(job));
  }

  void Reap() {
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      Job* key = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &key);
      curl_multi_remove_handle(multi_.get(), key->easy.get());
      auto node = flying_.extract(key);
      Settle(std::move(node.mapped()), code);
    }
  }

  void Settle(JobPtr job, CURLcode code) {
    if (code == CURLE_OK) {
      long status = 0;
      const char* type = nullptr;
      curl_easy_getinfo(job->easy.get(), CURLINFO_RESPONSE_CODE, &status);
      curl_easy_getinfo(job->easy.get(), CURLINFO_CONTENT_TYPE, &type);
      job->answer.status = static_cast<int>(status);
      job->answer.content_type = type == nullptr ? "" : type;
    } else {
      job->answer.fault = FaultOf(code);
    }
    const bool again = WantsRetry(*job, code);
    idle_.push_back(std::move(job->easy));
    if (!again) return Finish(std::move(job));
    const SteadyTime now = std::chrono::steady_clock::now();
    const int doublings = job->answer.tries - 1;
    later_.emplace(now + kFirstRetryWait * (1 << doublings), std::move(job));
  }

  void Finish(JobPtr job) {
    {
      const std::lock_guard lock(mutex_);
      --counts_.waiting;
      ++(job->answer.status / 100 == 2 ? counts_.acknowledged : counts_.failed);
    }
    if (job->webhook.done) job->webhook.done(job->answer);
    const auto line = lines_.find(job->webhook.order);
    if (line == lines_.end() || job->webhook.order == 0) return;
    if (line->second.empty()) {
      lines_.erase(line);
      return;
    }
    JobPtr next = std::move(line->second.front());
    line->second.pop_front();
    Schedule(std::move(next), std::chrono::steady_clock::now());
  }

  void DropAll() {
    for (auto& [job, owned] : flying_) curl_multi_remove_handle(multi_.get(), job->easy.get());
    flying_.clear();
    ready_.clear();
    later_.clear();
    lines_.clear();
  }

  std::unique_ptr<CURLM, MultiDeleter> multi_;

  mutable std::mutex mutex_;
  std::vector<Webhook> inbox_;
  bool forget_ = false;
  CallbackCounts counts_;

  // Of the thread only.
  std::deque<JobPtr> ready_;
  std::multimap<SteadyTime, JobPtr> later_;
  std::unordered_map<std::uint64_t, std::deque<JobPtr>> lines_;  // one of each order is under way
  std::unordered_map<Job*, JobPtr> flying_;
  std::vector<Easy> idle_;

  std::jthread thread_;  // last: ends before what it uses
};

Callbacks::Callbacks() : sender_(std::make_unique<Sender>()) {}
Callbacks::~Callbacks() = default;
void Callbacks::Post(Webhook webhook) { sender_->Post(std::move(webhook)); }
void Callbacks::Forget() { sender_->Forget(); }
CallbackCounts Callbacks::Counts() const { return sender_->Counts(); }

}  // namespace tocsin::sim
