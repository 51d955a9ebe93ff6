#include "tests/common/redis/private_redis.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace tocsin::redis {
namespace {

constexpr std::chrono::seconds kStartTimeout{30};

[[noreturn]] void Abort(const char* reason) {
  std::fprintf(stderr, "private redis-server: %s\n", reason);
  std::abort();
}

// redis-server does not support port 0. Another process may take the port before it starts.
std::uint16_t FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(fd, generic, size) != 0 || getsockname(fd, generic, &size) != 0) Abort("no free port");
  close(fd);
  return ntohs(address.sin_port);
}

}  // namespace

PrivateRedis::PrivateRedis(std::vector<std::string> options) : options_(std::move(options)) {
  std::string name = std::filesystem::temp_directory_path() / "tocsin-redis-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) Abort("no temporary folder");
  folder_ = name;
  Start();
}

PrivateRedis::~PrivateRedis() {
  Kill();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

Settings PrivateRedis::ServerSettings() const {
  Settings settings;
  settings.port = port_;
  return settings;
}

void PrivateRedis::Kill() {
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

void PrivateRedis::Pause() { kill(pid_, SIGSTOP); }
void PrivateRedis::Resume() { kill(pid_, SIGCONT); }

void PrivateRedis::Start() {
  if (port_ == 0) port_ = FreePort();
  Spawn();
  const SteadyTime deadline = std::chrono::steady_clock::now() + kStartTimeout;
  while (true) {
    const SteadyTime now = std::chrono::steady_clock::now();
    auto connection = Connection::Open(ServerSettings(), now + std::chrono::seconds(1));
    if (connection && connection->Execute({"EXISTS", "any"}, now + std::chrono::seconds(1))) return;
    if (now > deadline) Abort("no reply");
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) Abort("exited at once");
    std::this_thread::yield();
  }
}

void PrivateRedis::StartLoading() {
  Spawn();
  const SteadyTime deadline = std::chrono::steady_clock::now() + kStartTimeout;
  while (true) {
    const SteadyTime now = std::chrono::steady_clock::now();
    if (now > deadline) Abort("not loading");
    auto connection = Connection::Open(ServerSettings(), now + std::chrono::seconds(1));
    if (!connection) continue;
    connection->Append({"EXISTS", "any"});
    const auto replies = connection->Execute(now + std::chrono::seconds(1));
    if (replies && replies->front().IsError("LOADING")) return;
  }
}

Reply PrivateRedis::Execute(std::initializer_list<std::string_view> words) const {
  const SteadyTime deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  auto connection = Connection::Open(ServerSettings(), deadline);
  if (!connection) Abort("cannot connect");
  auto reply = connection->Execute(words, deadline);
  if (!reply) Abort(reply.error().message.c_str());
  return *reply;
}

void PrivateRedis::Spawn() {
  std::vector<std::string> words{"redis-server", "--port",        std::to_string(port_),
                                 "--bind",       "127.0.0.1",     "--dir",
                                 folder_,        "--save",        "",
                                 "--appendonly", "yes",           "--maxmemory-policy",
                                 "noeviction",   "--appendfsync", "everysec"};
  words.insert(words.end(), options_.begin(), options_.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_ = fork();
  if (pid_ != 0) return;
  const int null = open("/dev/null", O_RDWR);
  dup2(null, STDOUT_FILENO);
  dup2(null, STDERR_FILENO);
  execvp(arguments[0], arguments.data());
  _exit(127);
}

}  // namespace tocsin::redis
