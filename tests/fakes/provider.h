// A provider that records what it was sent and returns what the test sets.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "common/ports/provider.h"

namespace tocsin {

// Safe to use from several threads.
class FakeProvider final : public Provider {
 public:
  struct Sent {
    v1::AttemptRef attempt;
    std::string to;
    std::string text;
    std::string sender;
    std::chrono::seconds validity;
    std::string traceparent;
  };

  Task<records::v1::AttemptResult> Send(const Dispatch& dispatch, SteadyTime) override {
    std::function<void()> during;
    {
      const std::lock_guard lock(mutex_);
      sent.push_back({dispatch.attempt, dispatch.to.Reveal(), dispatch.text.Reveal(),
                      dispatch.sender.id, dispatch.validity, dispatch.traceparent});
      during = during_post;
    }
    if (during) during();
    const std::lock_guard lock(mutex_);
    co_return result;
  }

  static records::v1::AttemptResult Accepted(const std::string& sid) {
    records::v1::AttemptResult result;
    result.set_outcome(records::v1::ATTEMPT_OUTCOME_ACCEPTED);
    result.set_provider_sid(sid);
    result.set_http_status(201);
    return result;
  }
  static records::v1::AttemptResult Refused(records::v1::ProviderErrorClass error_class, int code) {
    records::v1::AttemptResult result = Of(records::v1::ATTEMPT_OUTCOME_REFUSED);
    result.set_provider_code(code);
    result.set_error_class(error_class);
    return result;
  }
  static records::v1::AttemptResult Of(records::v1::AttemptOutcome outcome) {
    records::v1::AttemptResult result;
    result.set_outcome(outcome);
    return result;
  }

  records::v1::AttemptResult result = Accepted("SM00000000000000000000000000000001");
  std::function<void()> during_post;  // called during a POST
  std::vector<Sent> sent;

 private:
  std::mutex mutex_;
};

}  // namespace tocsin
