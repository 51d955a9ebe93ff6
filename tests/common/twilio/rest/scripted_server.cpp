#include "tests/common/twilio/rest/scripted_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <utility>

namespace tocsin::twilio {

std::string HttpResponseText(int status, const std::string& body, const std::string& headers) {
  return "HTTP/1.1 " + std::to_string(status) + " Reason\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

ScriptedServer::ScriptedServer(std::vector<Step> script) : script_(std::move(script)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener_, generic, size) != 0 || ::listen(listener_, 16) != 0 ||
      ::getsockname(listener_, generic, &size) != 0)
    std::abort();
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Run(); });
}

ScriptedServer::~ScriptedServer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    if (current_ >= 0) ::shutdown(current_, SHUT_RDWR);
  }
  thread_.join();
  ::close(listener_);
}

std::string ScriptedServer::Url(const std::string& scheme) const {
  return scheme + "://127.0.0.1:" + std::to_string(port_);
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
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
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
  for (size_t sent = 0; sent < step.response.size();) {
    const ssize_t count =
        ::send(connection, step.response.data() + sent, step.response.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return false;
    sent += static_cast<size_t>(count);
  }
  if (step.end == Step::End::kReset) {
    const linger abrupt{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(connection, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
  }
  if (step.end == Step::End::kGone) ::shutdown(listener_, SHUT_RDWR);
  pollfd readable{.fd = connection, .events = POLLIN, .revents = 0};
  if (step.end == Step::End::kHold) ::poll(&readable, 1, -1);
  if (step.end == Step::End::kDrip)
    while (::poll(&readable, 1, 10) == 0 && ::send(connection, " ", 1, MSG_NOSIGNAL) == 1) {
    }
  return step.end == Step::End::kKeep;
}

bool ScriptedServer::ReadRequest(int connection) {
  std::string request;
  std::array<char, 4096> part{};
  while (true) {
    const size_t head = request.find("\r\n\r\n");
    if (head != std::string::npos) {
      const size_t field = request.find("Content-Length: ");
      const size_t body = field < head ? std::stoul(request.substr(field + 16)) : 0;
      if (request.size() >= head + 4 + body) break;
    }
    const ssize_t count = ::recv(connection, part.data(), part.size(), 0);
    if (count <= 0) return false;
    request.append(part.data(), static_cast<size_t>(count));
  }
  const std::lock_guard lock(mutex_);
  requests_.push_back(std::move(request));
  return true;
}

}  // namespace tocsin::twilio
