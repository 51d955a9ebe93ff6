#include "common/telemetry/stop_signal.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <mutex>

#include "common/telemetry/log.h"

namespace tocsin::telemetry {
namespace {

sigset_t HandledSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGUSR1, SIGUSR2}) sigaddset(&signals, number);
  return signals;
}

void ShiftLogLevel(int by) {
  const int level =
      std::clamp(static_cast<int>(LogLevel()) + by, static_cast<int>(Severity::kDebug),
                 static_cast<int>(Severity::kFatal));
  SetLogLevel(static_cast<Severity>(level));
}

}  // namespace

StopSignal::StopSignal() {
  const sigset_t signals = HandledSignals();
  if (pthread_sigmask(SIG_BLOCK, &signals, nullptr) != 0) std::abort();
  if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) std::abort();
  listener_ = std::thread([this] { Listen(); });
}

StopSignal::~StopSignal() {
  ending_ = true;
  pthread_kill(listener_.native_handle(),
               SIGUSR1);  // wakes the listener; directed at its thread only
  listener_.join();
}

void StopSignal::Wait() const {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait(lock, source_.get_token(), [] { return false; });
}

void StopSignal::Listen() {
  const sigset_t signals = HandledSignals();
  bool stop_requested = false;
  while (true) {
    int number = 0;
    if (sigwait(&signals, &number) != 0) std::abort();  // only an invalid set fails
    if (ending_) return;
    if (number == SIGUSR1) {
      ShiftLogLevel(-1);
    } else if (number == SIGUSR2) {
      ShiftLogLevel(+1);
    } else if (stop_requested) {
      _exit(EXIT_FAILURE);
    } else {
      stop_requested = true;
      source_.request_stop();
    }
  }
}

}  // namespace tocsin::telemetry
