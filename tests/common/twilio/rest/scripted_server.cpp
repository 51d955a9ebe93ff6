#include "tests/common/twilio/rest/scripted_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <utility>

namespace tocsin::twilio {

ScriptedServer::ScriptedServer(std::vector<Step> script)
    : script_(std::move(script)), listener_(ListenOnLoopback()) {
  thread_ = std::thread([this] { Run(); });
}

ScriptedServer::~ScriptedServer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    ::shutdown(listener_.descriptor, SHUT_RDWR);
    if (current_ >= 0) ::shutdown(current_, SHUT_RDWR);
  }
  thread_.join();
  ::close(listener_.descriptor);
}

std::string ScriptedServer::Url(const std::string& scheme) const {
  return scheme + "://127.0.0.1:" + std::to_string(listener_.port);
}

std::vector<std::string> ScriptedServer::Requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

int ScriptedServer::Connections() const {
  const std::lock_guard lock(mutex_);
  return connections_;
}

void ScriptedServer::Run() {
  while (true) {
    const int connection = ::accept4(listener_.descriptor, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    {
      const std::lock_guard lock(mutex_);
      ++connections_;
      current_ = connection;
      if (stopping_) ::shutdown(connection, SHUT_RDWR);
    }
    Serve(connection);
    const std::lock_guard lock(mutex_);
    current_ = -1;
    ::close(connection);
  }
}

void ScriptedServer::Serve(int connection) {
  while (next_ < script_.size()) {
    const Step& step = script_[next_];
    std::array<char, 16> some{};
    if (step.read == Step::Read::kRequest && !ReadRequest(connection)) return;
    if (step.read == Step::Read::kSomething && ::recv(connection, some.data(), some.size(), 0) <= 0)
      return;
    ++next_;
    if (!Perform(connection, step)) return;
  }
}

bool ScriptedServer::Perform(int connection, const Step& step) {
  if (!SendAll(connection, step.response)) return false;
  if (step.end == Step::End::kReset) {
    const linger abrupt{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(connection, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
  }
  if (step.end == Step::End::kGone) ::shutdown(listener_.descriptor, SHUT_RDWR);
  pollfd readable{.fd = connection, .events = POLLIN, .revents = 0};
  if (step.end == Step::End::kHold) ::poll(&readable, 1, -1);
  if (step.end == Step::End::kDrip)
    while (::poll(&readable, 1, 10) == 0 && ::send(connection, " ", 1, MSG_NOSIGNAL) == 1) {
    }
  return step.end == Step::End::kKeep;
}

bool ScriptedServer::ReadRequest(int connection) {
  auto request = ReadHttpRequest(connection);
  if (!request) return false;
  const std::lock_guard lock(mutex_);
  requests_.push_back(*std::move(request));
  return true;
}

}  // namespace tocsin::twilio
