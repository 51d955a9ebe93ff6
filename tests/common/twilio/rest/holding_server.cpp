#include "tests/common/twilio/rest/holding_server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <utility>

namespace tocsin::twilio {

HoldingServer::HoldingServer(std::string response, Holds holds)
    : response_(std::move(response)), holds_(std::move(holds)), listener_(ListenOnLoopback()) {
  accepting_ = std::thread([this] { Run(); });
}

HoldingServer::~HoldingServer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    ::shutdown(listener_.descriptor, SHUT_RDWR);
    for (const int connection : connections_) ::shutdown(connection, SHUT_RDWR);
  }
  changed_.notify_all();
  accepting_.join();
  for (std::thread& thread : serving_) thread.join();
  for (const int connection : connections_) ::close(connection);
  ::close(listener_.descriptor);
}

void HoldingServer::Release() {
  {
    const std::lock_guard lock(mutex_);
    released_ = true;
  }
  changed_.notify_all();
}

void HoldingServer::WaitForClosed(int connections) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return closed_ >= connections; });
}

std::vector<std::string> HoldingServer::Requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

int HoldingServer::Connections() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(connections_.size());
}

void HoldingServer::Run() {
  while (true) {
    const int connection = ::accept4(listener_.descriptor, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    const std::lock_guard lock(mutex_);
    connections_.push_back(connection);
    if (stopping_) ::shutdown(connection, SHUT_RDWR);
    serving_.emplace_back([this, connection] { Serve(connection); });
  }
}

void HoldingServer::Serve(int connection) {
  while (const auto request = ReadHttpRequest(connection)) {
    std::unique_lock lock(mutex_);
    requests_.push_back(*request);
    if (holds_(*request)) changed_.wait(lock, [&] { return released_ || stopping_; });
    if (stopping_) return;
    lock.unlock();
    if (!SendAll(connection, response_)) break;
  }
  {
    const std::lock_guard lock(mutex_);
    ++closed_;
  }
  changed_.notify_all();
}

}  // namespace tocsin::twilio
