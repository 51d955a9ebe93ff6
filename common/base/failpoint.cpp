#include "common/base/failpoint.h"

#ifdef TOCSIN_FAILPOINTS
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

namespace tocsin::failpoint {
namespace {

std::string Setting(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

}  // namespace

bool FailsAt(std::string_view point) {
  static const std::string path = Setting("TOCSIN_FAILPOINT_FILE");
  if (path.empty()) return false;
  // Only the thread whose rename succeeds fails here. It reads the renamed file, because the test
  // may already have armed the failpoint again.
  const std::string armed = path + "." + std::string(point);
  const std::string taken = armed + ".taken";
  if (std::rename(armed.c_str(), taken.c_str()) != 0) return false;
  std::ifstream file(taken);
  std::string action;
  int milliseconds = 0;
  file >> action >> milliseconds;
  std::rename(taken.c_str(), (path + ".reached").c_str());
  if (action == "kill") ::kill(::getpid(), SIGKILL);
  if (action == "hang") std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
  return action == "error";
}

bool Without(std::string_view guard) {
  static const std::string guards = "," + Setting("TOCSIN_WITHOUT") + ",";
  return guards.find("," + std::string(guard) + ",") != std::string::npos;
}

}  // namespace tocsin::failpoint
#endif
