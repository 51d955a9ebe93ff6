#include "tests/common/ports/pacer_contract.h"
#include "tests/fakes/await.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/pacer.h"

namespace tocsin {
namespace {

class FakeWorld {
 public:
  Pacer& pacer() { return pacer_; }
  template <typename T>
  T Wait(Task<T> task) {
    return Await(std::move(task));
  }
  WallTime Now() const { return clock_.Now(); }

 private:
  ManualClock clock_;
  FakePacer pacer_{clock_};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Fake, PacerContract, FakeWorld);

}  // namespace
}  // namespace tocsin
