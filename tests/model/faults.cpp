#include "tests/model/faults.h"

namespace tocsin::model {

Faults Faults::Draw(Dice& dice) {
  const auto rate = [&dice](double most) {
    return dice.Chance(0.5) ? most * static_cast<double>(1 + dice.Below(100)) / 100 : 0.0;
  };
  Faults faults;
  faults.crash = rate(0.03);
  faults.freeze = rate(0.01);
  faults.publish_lost = rate(0.1);
  faults.publish_unknown = rate(0.1);
  faults.store_silent = rate(0.1);
  faults.store_late = rate(0.2);
  faults.store_replaced = rate(0.5);
  faults.refused = rate(0.2);
  faults.rate_limited = rate(0.3);
  faults.not_sent = rate(0.2);
  faults.reset_before = rate(0.1);
  faults.reset_after = rate(0.2);
  faults.timed_out = rate(0.1);
  faults.callback_lost = rate(0.3);
  faults.callback_doubled = rate(0.3);
  faults.callback_late = rate(0.5);
  faults.response_lost = rate(0.3);
  faults.undelivered = rate(0.5);
  faults.list_unavailable = rate(0.5);
  faults.list_lags = rate(0.5);
  faults.longest_list_lag = dice.Chance(0.5) ? dice.Between(Micros(0), kLongestListLag) : Micros(0);
  faults.enqueue_repeated = rate(0.3);
  return faults;
}

}  // namespace tocsin::model
