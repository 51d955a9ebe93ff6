#include "common/telemetry/stop_signal.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <future>

#include "common/telemetry/log.h"

namespace tocsin::telemetry {
namespace {

// Each test runs in its own process: signals concern the whole process.
class StopSignalDeathTest : public testing::Test {
 protected:
  StopSignalDeathTest() { testing::FLAGS_gtest_death_test_style = "threadsafe"; }
};

void ExitAfter(int signal_number) {
  const StopSignal stop;
  ::kill(::getpid(), signal_number);
  stop.Wait();
  std::_Exit(stop.Token().stop_requested() ? 42 : 43);
}

TEST_F(StopSignalDeathTest, TerminateAndInterruptRequestAStop) {
  EXPECT_EXIT(ExitAfter(SIGTERM), testing::ExitedWithCode(42), "");
  EXPECT_EXIT(ExitAfter(SIGINT), testing::ExitedWithCode(42), "");
}

void ExitAfterTwoSignals() {
  const StopSignal stop;
  ::kill(::getpid(), SIGTERM);
  stop.Wait();
  ::kill(::getpid(), SIGTERM);
  while (true) ::pause();
}

TEST_F(StopSignalDeathTest, ASecondSignalEndsTheProcessImmediately) {
  EXPECT_EXIT(ExitAfterTwoSignals(), testing::ExitedWithCode(1), "");
}

void WriteToAClosedPipe() {
  const StopSignal stop;
  int ends[2];
  if (::pipe(ends) != 0) std::_Exit(1);
  ::close(ends[0]);
  const ssize_t count = ::write(ends[1], "x", 1);
  std::_Exit(count < 0 ? 42 : 43);
}

TEST_F(StopSignalDeathTest, SigpipeIsIgnored) {
  EXPECT_EXIT(WriteToAClosedPipe(), testing::ExitedWithCode(42), "");
}

void ChangeTheLogLevel() {
  const StopSignal stop;
  ::kill(::getpid(), SIGUSR1);
  while (LogLevel() != Severity::kDebug) std::this_thread::yield();
  ::kill(::getpid(), SIGUSR2);
  while (LogLevel() != Severity::kInfo) std::this_thread::yield();
  std::_Exit(stop.Token().stop_requested() ? 43 : 42);
}

TEST_F(StopSignalDeathTest, UserSignalsChangeTheLogLevel) {  // O4
  EXPECT_EXIT(ChangeTheLogLevel(), testing::ExitedWithCode(42), "");
}

void RequestStop() {
  bool stopped = false;
  {
    const StopSignal stop;
    const std::stop_callback callback(stop.Token(), [&stopped] { stopped = true; });
    std::future<void> waiter = std::async(std::launch::async, [&stop] { stop.Wait(); });
    stop.Request();
    waiter.get();
  }
  std::_Exit(stopped ? 42 : 43);
}

TEST_F(StopSignalDeathTest, RequestStopsTheProcessAndTheListenerEnds) {
  EXPECT_EXIT(RequestStop(), testing::ExitedWithCode(42), "");
}

}  // namespace
}  // namespace tocsin::telemetry
