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

// Deadlines are looked at this often: an eighth of the shortest, within these bounds.
constexpr std::chrono::milliseconds kFastestTick{5};
constexpr std::chrono::milliseconds kSlowestTick{250};

std::chrono::milliseconds TickFor(const ServerOptions& options) {
  const auto shortest =
      std::min({options.header_timeout, options.body_timeout, options.answer_timeout,
                options.write_timeout, options.idle_timeout, options.linger_timeout});
  return std::clamp(shortest / 8, kFastestTick, kSlowestTick);
}

Fd MakeTicker(std::chrono::milliseconds tick) {
  Fd ticker(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  const timespec period{.tv_sec = 0, .tv_nsec = std::chrono::nanoseconds(tick).count()};
  const itimerspec spec{.it_interval = period, .it_value = period};
  if (!ticker || ::timerfd_settime(ticker.get(), 0, &spec, nullptr) != 0) {
    throw std::system_error(errno, std::generic_category(), "timerfd");
  }
  return ticker;
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
  if (mailbox_) mailbox_->Close();
}

std::shared_ptr<Pistache::Aio::Handler> Worker::clone() const {
  return std::make_shared<Worker>(shared_);
}

void Worker::registerPoller(Pistache::Polling::Epoll& poller) {
  mailbox_ = std::make_shared<Mailbox>();
  ticker_ = MakeTicker(TickFor(shared_.options));
  for (const int fd : {mailbox_->Bell(), ticker_.get()}) {
    poller.addFd(fd, Pistache::Flags<NotifyOn>(NotifyOn::Read), TagOf(fd));
  }
}

// Sockets first and the mail last: within one set of events no descriptor can then change its
// owner.
void Worker::onReady(const Pistache::Aio::FdSet& events) {
  mailbox_->StayAwake();
  now_ = std::chrono::steady_clock::now();
  bool ticked = false;
  for (const auto& event : events) {
    const int fd = static_cast<int>(event.getTag().value());
    if (fd == mailbox_->Bell()) {
      mailbox_->Silence();
    } else if (fd == ticker_.get()) {
      ticked = true;
    } else if (const auto found = connections_.find(fd); found != connections_.end()) {
      OnSocket(found->second, event.isReadable(), event.isWritable(), event.isHangup());
    }
  }
  if (ticked) Sweep();
  ReadMail();
}

void Worker::OnSocket(Entry& entry, bool readable, bool writable, bool hung_up) {
  Connection& connection = *entry.connection;
  if (hung_up && !connection.WantsToRead() && !connection.WantsToWrite()) {
    // Both directions are gone and nothing would ever notice: the poller reports this unasked.
    connections_.erase(connection.Socket());
    return;
  }
  if (writable) connection.OnWritable(now_);
  if (readable || hung_up) connection.OnReadable(now_);
  Settle(entry);
}

void Worker::Settle(Entry& entry) {
  Connection& connection = *entry.connection;
  if (connection.HasRequest()) HandOver(connection);
  if (connection.Over()) {
    connections_.erase(connection.Socket());  // closing takes it out of the poller
    return;
  }
  if (const NotifyOn interest = InterestOf(connection); interest != entry.interest) {
    entry.interest = interest;
    reactor()->modifyFd(key(), connection.Socket(), interest);
  }
}

void Worker::HandOver(Connection& connection) {
  const uint64_t number = next_request_++;
  Request request = connection.TakeRequest(number, now_);
  if (!shared_.counters->TryBegin(shared_.options.max_in_flight)) {
    shared_.counters->Rejected(Rejection::kBusy);
    mailbox_->Post(
        Answer{connection.Socket(), number, {.status = 503, .headers = {{"Retry-After", "1"}}}});
    return;
  }
  Responder responder([mailbox = mailbox_, counters = shared_.counters,
                       socket = connection.Socket(), number](Response response) {
    counters->End();
    mailbox->Post(Answer{socket, number, std::move(response)});
  });
  try {
    shared_.handler(std::move(request), std::move(responder));
  } catch (...) {
    // The responder was dropped on the way here, which answered 500.
  }
}

// Until there is none: answers that handlers give at once are written without going to sleep first.
void Worker::ReadMail() {
  for (mailbox_->Take(mail_); !mail_.empty(); mail_.clear(), mailbox_->Take(mail_)) {
    now_ = std::chrono::steady_clock::now();
    for (Mail& mail : mail_) {
      std::visit(
          [this](auto&& letter) {
            using Letter = std::decay_t<decltype(letter)>;
            if constexpr (std::is_same_v<Letter, NewConnection>) Open(std::move(letter));
            if constexpr (std::is_same_v<Letter, Answer>) Deliver(std::move(letter));
            if constexpr (std::is_same_v<Letter, BeginDrain>) DrainAll();
          },
          std::move(mail));
    }
  }
}

void Worker::Open(NewConnection arrival) {
  const int fd = arrival.socket.get();
  auto connection =
      std::make_unique<Connection>(std::move(arrival.socket), std::move(arrival.peer_address),
                                   shared_.options, *shared_.counters, now_);
  try {
    reactor()->registerFd(key(), fd, NotifyOn::Read);
  } catch (const std::exception&) {
    return;  // the kernel has no room to watch it: the client sees a close
  }
  connections_.insert_or_assign(fd, Entry{std::move(connection), NotifyOn::Read});
}

void Worker::Deliver(Answer answer) {
  const auto found = connections_.find(answer.fd);
  if (found == connections_.end() || !found->second.connection->TakesAnswer(answer.request)) {
    shared_.counters->LateAnswer();
    return;
  }
  found->second.connection->SendAnswer(std::move(answer.response), now_);
  Settle(found->second);
}

void Worker::DrainAll() {
  for (auto at = connections_.begin(); at != connections_.end();) {
    Entry& entry = (at++)->second;       // Settle() may erase it, and no other
    entry.connection->OnReadable(now_);  // what has already arrived is still served
    entry.connection->OnDrain();
    Settle(entry);
  }
}

void Worker::Sweep() {
  uint64_t ticks = 0;
  if (::read(ticker_.get(), &ticks, sizeof ticks) < 0) return;
  for (auto at = connections_.begin(); at != connections_.end();) {
    Entry& entry = (at++)->second;
    if (entry.connection->Deadline() > now_) continue;
    entry.connection->OnDeadline(now_);
    Settle(entry);
  }
}

}  // namespace tocsin::http
