// A carrier that says what the test wants and remembers what it was given.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "common/ports/carrier.h"

namespace tocsin {

// Safe to use from several threads.
class FakeCarrier final : public Carrier {
 public:
  struct Sent {
    v1::TryName name;
    std::string to;
    std::string text;
    std::string sender;
    std::chrono::seconds validity;
    std::string traceparent;
  };

  v1::Receipt Send(const Dispatch& dispatch, SteadyTime) override {
    std::function<void()> during;
    {
      const std::lock_guard lock(mutex_);
      sent.push_back({dispatch.name, dispatch.to.Reveal(), dispatch.text.Reveal(),
                      dispatch.sender.id, dispatch.validity, dispatch.traceparent});
      during = during_post;
    }
    if (during) during();
    const std::lock_guard lock(mutex_);
    return answer;
  }

  static v1::Receipt Accepted(const std::string& sid) {
    v1::Receipt receipt;
    receipt.set_outcome(v1::RECEIPT_OUTCOME_ACCEPTED);
    receipt.set_provider_sid(sid);
    receipt.set_http_status(201);
    return receipt;
  }
  static v1::Receipt Of(v1::ReceiptOutcome outcome, int code = 0) {
    v1::Receipt receipt;
    receipt.set_outcome(outcome);
    receipt.set_provider_code(code);
    return receipt;
  }

  v1::Receipt answer = Accepted("SM00000000000000000000000000000001");
  std::function<void()> during_post;  // while the POST is under way
  std::vector<Sent> sent;

 private:
  std::mutex mutex_;
};

}  // namespace tocsin
