#include "common/http/server.h"

#include <atomic>
#include <exception>
#include <utility>
#include <vector>

#include "common/http/acceptor.h"
#include "common/http/worker.h"

namespace tocsin::http {
namespace {

constexpr int kMaxThreads = 64;

// Pistache's reactor; it must be shut down before its destructor joins its threads.
struct Loop {
  Pistache::Aio::Reactor reactor;
  ~Loop() { reactor.shutdown(); }
};

}  // namespace

// Members are destroyed in reverse order: first the acceptor, then the workers, then what the
// workers refer to.
class Server::Impl {
 public:
  Impl(ServerOptions options, Handler handler, Fd listener)
      : shared_{std::move(options), std::move(handler), std::make_shared<Counters>()},
        workers_(StartWorkers()),
        acceptor_(std::move(listener), shared_.options.max_connections, *shared_.counters,
                  [this](NewConnection connection) { Dispatch(std::move(connection)); }) {}

  uint16_t port() const { return acceptor_.Port(); }
  Counts counts() const { return shared_.counters->Read(); }

  bool Drain(std::chrono::steady_clock::time_point deadline) {
    acceptor_.Stop();
    for (const auto& worker : workers_) worker->Push(BeginDrain{});
    return shared_.counters->WaitUntilAllClosed(deadline);
  }

 private:
  std::vector<std::shared_ptr<Worker>> StartWorkers() {
    const auto threads = static_cast<size_t>(shared_.options.threads);
    loop_.reactor.init(Pistache::Aio::AsyncContext(threads, "http"));
    const auto key = loop_.reactor.addHandler(std::make_shared<Worker>(shared_));
    std::vector<std::shared_ptr<Worker>> workers;
    for (const auto& handler : loop_.reactor.handlers(key)) {
      workers.push_back(std::static_pointer_cast<Worker>(handler));
    }
    loop_.reactor.run();  // starts the threads and returns
    return workers;
  }

  void Dispatch(NewConnection connection) {  // on the acceptor's thread only
    workers_[next_worker_++ % workers_.size()]->Push(std::move(connection));
  }

  Shared shared_;
  Loop loop_;
  std::vector<std::shared_ptr<Worker>> workers_;
  size_t next_worker_ = 0;
  Acceptor acceptor_;
};

Responder::Responder(std::function<void(Response)> send) : send_(std::move(send)) {}
Responder::Responder(Responder&& other) noexcept : send_(std::exchange(other.send_, nullptr)) {}

Responder& Responder::operator=(Responder&& other) noexcept {
  std::swap(send_, other.send_);
  return *this;
}

Responder::~Responder() {
  if (send_) Send(Response{.status = 500});
}

void Responder::Send(Response response) {
  if (const auto send = std::exchange(send_, nullptr)) send(std::move(response));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::Start(ServerOptions options, Handler handler) {
  if (options.threads < 1 || options.threads > kMaxThreads) {
    return Fail(ErrorCode::kInvalidConfig, "HTTP threads must be 1 to 64");
  }
  TOCSIN_TRY(Fd listener, Listen(options.address));
  try {
    return std::unique_ptr<Server>(new Server(
        std::make_unique<Impl>(std::move(options), std::move(handler), std::move(listener))));
  } catch (const std::exception& error) {
    return Fail(ErrorCode::kInternal, std::string("HTTP server: ") + error.what());
  }
}

uint16_t Server::port() const { return impl_->port(); }
Counts Server::counts() const { return impl_->counts(); }
bool Server::Drain(std::chrono::steady_clock::time_point deadline) {
  return impl_->Drain(deadline);
}

}  // namespace tocsin::http
