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

constexpr std::chrono::seconds kStartLimit{30};

[[noreturn]] void GiveUp(const char* why) {
  std::fprintf(stderr, "a private redis-server is needed: %s\n", why);
  std::abort();
}

// redis-server takes no port 0; the port is free when it is looked for.
std::uint16_t FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  if (bind(fd, any, size) != 0 || getsockname(fd, any, &size) != 0) GiveUp("no port is free");
  close(fd);
  return ntohs(address.sin_port);
}

}  // namespace

PrivateRedis::PrivateRedis(std::vector<std::string> options) : options_(std::move(options)) {
  std::string name = std::filesystem::temp_directory_path() / "tocsin-redis-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) GiveUp("no temporary folder");
  folder_ = name;
  Start();
}

PrivateRedis::~PrivateRedis() {
  Kill();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

Settings PrivateRedis::Use() const {
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

void PrivateRedis::Freeze() { kill(pid_, SIGSTOP); }
void PrivateRedis::Thaw() { kill(pid_, SIGCONT); }

void PrivateRedis::Start() {
  if (port_ == 0) port_ = FreePort();
  Spawn();
  const SteadyTime limit = std::chrono::steady_clock::now() + kStartLimit;
  while (true) {
    const SteadyTime now = std::chrono::steady_clock::now();
    auto connection = Connection::Open(Use(), now + std::chrono::seconds(1));
    if (connection && connection->Ask({"EXISTS", "any"}, now + std::chrono::seconds(1))) return;
    if (now > limit) GiveUp("it does not answer");
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) GiveUp("it ended at once");
    std::this_thread::yield();
  }
}

Reply PrivateRedis::Tell(std::initializer_list<std::string_view> words) const {
  const SteadyTime deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  auto connection = Connection::Open(Use(), deadline);
  if (!connection) GiveUp("it cannot be told anything");
  auto reply = connection->Ask(words, deadline);
  if (!reply) GiveUp(reply.error().message.c_str());
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
