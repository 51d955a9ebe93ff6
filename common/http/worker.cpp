#include "common/http/worker.h"

#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <system_error>
#include <type_traits>
#include <utility>

namespace tocsin::http {
namespace {

using Pistache::Polling::NotifyOn;

// Deadlines are checked at an interval of an eighth of the shortest, within these bounds.
constexpr std::chrono::milliseconds kMinInterval{5};
constexpr std::chrono::milliseconds kMaxInterval{250};

std::chrono::milliseconds TimerInterval(const ServerOptions& options) {
  const auto shortest =
      std::min({options.header_timeout, options.body_timeout, options.response_timeout,
                options.write_timeout, options.idle_timeout, options.linger_timeout});
  return std::clamp(shortest / 8, kMinInterval, kMaxInterval);
}

Fd MakeTimer(std::chrono::milliseconds interval) {
  Fd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  const timespec period{.tv_sec = 0, .tv_nsec = std::chrono::nanoseconds(interval).count()};
  const itimerspec spec{.it_interval = period, .it_value = period};
  if (!timer || ::timerfd_settime(timer.get(), 0, &spec, nullptr) != 0) {
    throw std::system_error(errno, std::generic_category(), "timerfd");
  }
  return timer;
}

Pistache::Polling::Tag TagOf(int fd) { return Pistache::Polling::Tag(static_cast<uint64_t>(fd)); }

NotifyOn InterestOf(const Connection& connection) {
  const NotifyOn read = connection.WantsToRead() ? NotifyOn::Read : NotifyOn::None;
  const NotifyOn write = connection.WantsToWrite() ? NotifyOn::Write : NotifyOn::None;
  return read | write;
}

}  // namespace

Worker::Worker(const Shared& shared) : shared_(shared) {}

Worker::~Worker() {
  if (events_) events_->Close();
}

std::shared_ptr<Pistache::Aio::Handler> Worker::clone() const {
  return std::make_shared<Worker>(shared_);
}

void Worker::registerPoller(Pistache::Polling::Epoll& poller) {
  events_ = std::make_shared<EventQueue>();
  timer_ = MakeTimer(TimerInterval(shared_.options));
  for (const int fd : {events_->WakeupFd(), timer_.get()}) {
    poller.addFd(fd, Pistache::Flags<NotifyOn>(NotifyOn::Read), TagOf(fd));
  }
}

// Sockets first and queued events last, so that no descriptor changes its owner within one set.
void Worker::onReady(const Pistache::Aio::FdSet& ready) {
  events_->SuppressWakeup();
  now_ = std::chrono::steady_clock::now();
  bool expired = false;
  for (const auto& event : ready) {
    const int fd = static_cast<int>(event.getTag().value());
    if (fd == events_->WakeupFd()) {
      events_->ClearWakeup();
    } else if (fd == timer_.get()) {
      expired = true;
    } else if (const auto found = connections_.find(fd); found != connections_.end()) {
      OnSocket(found->second, event.isReadable(), event.isWritable(), event.isHangup());
    }
  }
  if (expired) CheckDeadlines();
  ProcessEvents();
}

void Worker::OnSocket(Entry& entry, bool readable, bool writable, bool hung_up) {
  Connection& connection = *entry.connection;
  if (hung_up && !connection.WantsToRead() && !connection.WantsToWrite()) {
    // Both directions are closed. The poller reports this without a registered interest.
    connections_.erase(connection.Socket());
    return;
  }
  if (writable) connection.OnWritable(now_);
  if (readable || hung_up) connection.OnReadable(now_);
  Update(entry);
}

void Worker::Update(Entry& entry) {
  Connection& connection = *entry.connection;
  if (connection.HasRequest()) Dispatch(connection);
  if (connection.Closed()) {
    connections_.erase(connection.Socket());  // closing takes it out of the poller
    return;
  }
  if (const NotifyOn interest = InterestOf(connection); interest != entry.interest) {
    entry.interest = interest;
    reactor()->modifyFd(key(), connection.Socket(), interest);
  }
}

void Worker::Dispatch(Connection& connection) {
  const uint64_t number = next_request_++;
  Request request = connection.TakeRequest(number, now_);
  if (!shared_.counters->StartRequest(shared_.options.max_in_flight)) {
    shared_.counters->Rejected(Rejection::kOverloaded);
    events_->Push(PendingResponse{
        connection.Socket(), number, {.status = 503, .headers = {{"Retry-After", "1"}}}});
    return;
  }
  Responder responder([events = events_, counters = shared_.counters, socket = connection.Socket(),
                       number](Response response) {
    counters->EndRequest();
    events->Push(PendingResponse{socket, number, std::move(response)});
  });
  try {
    shared_.handler(std::move(request), std::move(responder));
  } catch (...) {
    // The responder was destroyed by the exception and has sent 500.
  }
}

// Until the queue is empty, so that responses of handlers that respond at once are written without
// another poll.
void Worker::ProcessEvents() {
  for (events_->PopAll(batch_); !batch_.empty(); batch_.clear(), events_->PopAll(batch_)) {
    now_ = std::chrono::steady_clock::now();
    for (WorkerEvent& queued : batch_) {
      std::visit(
          [this]<typename Event>(Event event) {
            if constexpr (std::is_same_v<Event, NewConnection>) AddConnection(std::move(event));
            if constexpr (std::is_same_v<Event, PendingResponse>) SendResponse(std::move(event));
            if constexpr (std::is_same_v<Event, BeginDrain>) DrainAll();
          },
          std::move(queued));
    }
  }
}

void Worker::AddConnection(NewConnection added) {
  const int fd = added.socket.get();
  auto connection =
      std::make_unique<Connection>(std::move(added.socket), std::move(added.peer_address),
                                   shared_.options, *shared_.counters, now_);
  try {
    reactor()->registerFd(key(), fd, NotifyOn::Read);
  } catch (const std::exception&) {
    return;  // the kernel cannot poll another descriptor: the connection is closed
  }
  connections_.insert_or_assign(fd, Entry{std::move(connection), NotifyOn::Read});
}

void Worker::SendResponse(PendingResponse pending) {
  const auto found = connections_.find(pending.fd);
  if (found == connections_.end() ||
      !found->second.connection->AwaitsResponse(pending.request_number)) {
    shared_.counters->LateResponse();
    return;
  }
  found->second.connection->SendResponse(std::move(pending.response), now_);
  Update(found->second);
}

void Worker::DrainAll() {
  for (auto at = connections_.begin(); at != connections_.end();) {
    Entry& entry = (at++)->second;       // Update() may erase this entry, and no other
    entry.connection->OnReadable(now_);  // requests that were already received are served
    entry.connection->OnDrain();
    Update(entry);
  }
}

void Worker::CheckDeadlines() {
  uint64_t expirations = 0;
  if (::read(timer_.get(), &expirations, sizeof expirations) < 0) return;
  for (auto at = connections_.begin(); at != connections_.end();) {
    Entry& entry = (at++)->second;
    if (entry.connection->Deadline() > now_) continue;
    entry.connection->OnDeadline(now_);
    Update(entry);
  }
}

}  // namespace tocsin::http
