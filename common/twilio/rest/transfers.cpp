#include "common/twilio/rest/transfers.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <coroutine>
#include <utility>

namespace tocsin::twilio {
namespace {

using std::chrono::milliseconds;

constexpr size_t kMaxIdleHandles = 64;  // without a transfer; about 6 KiB each

// libcurl fails here only on misuse or without memory.
void Check(CURLMcode code) {
  if (code != CURLM_OK) std::abort();
}

template <typename Value>
void SetMultiOption(CURLM* multi, CURLMoption option, Value value) {
  Check(curl_multi_setopt(multi, option, value));
}

// Of TLS sessions, so that a new connection resumes the session of another one.
CURLSH* MakeShare() {
  StartLibcurlOnce();
  CURLSH* const share = curl_share_init();
  if (share == nullptr ||
      curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) != CURLSHE_OK)
    std::abort();
  return share;
}

}  // namespace

// A transfer, and the coroutine that awaits it. Its destructor ends the transfer.
struct Transfers::InProgress {
  InProgress(Transfers& transfers, HttpRequest request)
      : owner(transfers), transfer(std::move(request)) {
    owner.Start(*this);
  }
  InProgress(const InProgress&) = delete;
  InProgress& operator=(const InProgress&) = delete;
  ~InProgress() {
    if (handle) {
      owner.Remove(handle);
      transfer.Detach(handle, CURLE_ABORTED_BY_CALLBACK);
    }
    if (awaiting) std::erase(owner.ended_, this);
  }

  bool await_ready() const noexcept { return handle == nullptr; }
  void await_suspend(std::coroutine_handle<> coroutine) noexcept { awaiting = coroutine; }
  void await_resume() const noexcept {}

  Transfers& owner;
  Transfer transfer;
  EasyHandle handle;  // null: the transfer has ended
  std::coroutine_handle<> awaiting;
};

Transfers::Transfers(EventLoop& loop, const RestSettings& settings)
    : loop_(loop),
      settings_(settings),
      share_(MakeShare()),
      timer_(loop,
             [this] {
               Advance(CURL_SOCKET_TIMEOUT, 0);
               ResumeEnded();
             }),
      multi_(curl_multi_init()) {
  if (multi_ == nullptr) std::abort();
  SetMultiOption(multi_.get(), CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
  SetMultiOption(multi_.get(), CURLMOPT_SOCKETFUNCTION, &OnSocket);
  SetMultiOption(multi_.get(), CURLMOPT_SOCKETDATA, this);
  SetMultiOption(multi_.get(), CURLMOPT_TIMERFUNCTION, &OnTimer);
  SetMultiOption(multi_.get(), CURLMOPT_TIMERDATA, this);
}

Transfers::~Transfers() {
  if (in_progress_ > 0) std::abort();
}

Task<HttpExchange> Transfers::Perform(HttpRequest request) {
  InProgress in_progress(*this, std::move(request));
  co_await in_progress;
  co_return in_progress.transfer.TakeExchange();
}

void Transfers::Start(InProgress& started) {
  if (idle_.empty()) {
    started.handle = MakeEasyHandle(settings_);
    Transfer::SetUp(started.handle);
    SetOption(started.handle, CURLOPT_CONNECTTIMEOUT_MS,
              static_cast<long>(settings_.connect_timeout.count()));
    SetOption(started.handle, CURLOPT_SHARE, share_.get());
    SetOption(started.handle, CURLOPT_OPENSOCKETFUNCTION, &OnOpen);
    SetOption(started.handle, CURLOPT_OPENSOCKETDATA, this);
    SetOption(started.handle, CURLOPT_CLOSESOCKETFUNCTION, &OnClose);
    SetOption(started.handle, CURLOPT_CLOSESOCKETDATA, this);
  } else {
    started.handle = std::move(idle_.back());
    idle_.pop_back();
  }
  started.transfer.Attach(started.handle);
  SetOption(started.handle, CURLOPT_PRIVATE, &started);
  ++started_;
  ++in_progress_;
  LimitIdleConnections();
  Check(curl_multi_add_handle(multi_.get(), started.handle.get()));
  Advance(CURL_SOCKET_TIMEOUT, 0);
  // The caller may be a task that another one of the ended transfers would destroy.
  if (!ended_.empty() && !resuming_) timer_.Set(std::chrono::steady_clock::now());
}

void Transfers::Remove(const EasyHandle& handle) {
  Check(curl_multi_remove_handle(multi_.get(), handle.get()));
  --in_progress_;
  LimitIdleConnections();
}

// libcurl checks its limit when a transfer ends, and counts the connections in use, too.
void Transfers::LimitIdleConnections() {
  SetMultiOption(multi_.get(), CURLMOPT_MAXCONNECTS,
                 static_cast<long>(in_progress_ + kMaxIdleConnections));
}

void Transfers::Advance(curl_socket_t socket, int events) {
  // libcurl does not report that no timeout is left if it is called because of one.
  if (socket == CURL_SOCKET_TIMEOUT) due_.reset();
  int running = 0;
  Check(curl_multi_socket_action(multi_.get(), socket, events, &running));
  CollectEnded();
  timer_.Set(due_);
}

void Transfers::CollectEnded() {
  int left = 0;
  while (const CURLMsg* const message = curl_multi_info_read(multi_.get(), &left)) {
    const CURLcode code = message->data.result;
    void* user = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &user);
    auto& ended = *static_cast<InProgress*>(user);
    Remove(ended.handle);  // ends the life of `message`
    ended.transfer.Detach(ended.handle, code);
    connections_ +=
        static_cast<std::uint64_t>(GetInfo<long>(ended.handle.get(), CURLINFO_NUM_CONNECTS));
    if (idle_.size() < kMaxIdleHandles) idle_.push_back(std::move(ended.handle));
    ended.handle.reset();
    if (ended.awaiting) ended_.push_back(&ended);
  }
}

void Transfers::ResumeEnded() {
  if (std::exchange(resuming_, true)) return;
  while (!ended_.empty()) {
    const auto awaiting = std::exchange(ended_.front()->awaiting, nullptr);
    ended_.pop_front();
    awaiting.resume();
  }
  resuming_ = false;
}

curl_socket_t Transfers::OnOpen(void* user, curlsocktype, curl_sockaddr* address) {
  const int socket = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (socket < 0) return CURL_SOCKET_BAD;
  static_cast<Transfers*>(user)->sockets_[socket] = {.connection = true};
  return socket;
}

int Transfers::OnClose(void* user, curl_socket_t socket) {
  static_cast<Transfers*>(user)->sockets_.erase(socket);
  return ::close(socket);
}

int Transfers::OnSocket(CURL*, curl_socket_t descriptor, int events, void* user, void*) {
  auto& self = *static_cast<Transfers*>(user);
  // Others than connections are those of threads that resolve names.
  if (events == CURL_POLL_REMOVE && !self.sockets_[descriptor].connection) {
    self.sockets_.erase(descriptor);
    return 0;
  }
  Socket& socket = self.sockets_[descriptor];
  socket.used = events != CURL_POLL_REMOVE;
  const unsigned wanted = (events & CURL_POLL_IN ? FdWatcher::kReadable : 0u) |
                          (events & CURL_POLL_OUT ? FdWatcher::kWritable : 0u);
  // An unused connection becomes readable when the server closes it.
  const unsigned watched = socket.used ? wanted : socket.events & FdWatcher::kReadable;
  if (watched == socket.events) return 0;
  if (!socket.watcher)
    socket.watcher = std::make_unique<FdWatcher>(
        self.loop_, descriptor,
        [&self, descriptor](unsigned ready) { self.HandleReady(descriptor, ready); });
  socket.watcher->Watch(watched);
  socket.events = watched;
  return 0;
}

void Transfers::HandleReady(curl_socket_t descriptor, unsigned ready) {
  Socket& socket = sockets_.at(descriptor);
  if (!socket.used) {  // libcurl notices what happened when it would use the connection
    socket.watcher->Watch(FdWatcher::kNone);
    socket.events = FdWatcher::kNone;
    return;
  }
  Advance(descriptor, (ready & FdWatcher::kReadable ? CURL_CSELECT_IN : 0) |
                          (ready & FdWatcher::kWritable ? CURL_CSELECT_OUT : 0));
  ResumeEnded();
}

int Transfers::OnTimer(CURLM*, long timeout_ms, void* user) {
  auto& due = static_cast<Transfers*>(user)->due_;
  due.reset();
  // libcurl rounds down, and does nothing if it is called too early.
  const milliseconds timeout(timeout_ms > 0 ? timeout_ms + 1 : timeout_ms);
  if (timeout_ms >= 0) due = std::chrono::steady_clock::now() + timeout;
  return 0;
}

}  // namespace tocsin::twilio
