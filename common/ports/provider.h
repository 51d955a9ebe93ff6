// Sends messages and places calls. Twilio in production.
#pragma once

#include <chrono>
#include <string>

#include "common/async/task.h"
#include "common/base/secret.h"
#include "common/base/time.h"
#include "common/domain/registry/registry.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

// The arguments of one POST. Contains PII.
struct Dispatch {
  v1::AttemptRef attempt;
  Pii to;  // E.164
  Pii text;
  Account account;
  Sender sender;
  records::v1::Position work;       // of the work record; part of the attempt token
  std::chrono::seconds validity{};  // 1 to 36 000: the provider gives up after it
  std::string traceparent = {};     // of the work record; empty: a new trace starts
  v1::VoiceOptions voice = {};      // of a call
};

class Provider {
 public:
  virtual ~Provider() = default;

  // Makes one POST, never a retry. The result is a value, never an error: sets outcome, provider
  // fields, http_status, retry_after_us, reason and segment_count; the caller sets times, sender
  // and account. Ends at `deadline` at the latest. Used on the loop's
  // thread; many may be in progress. `dispatch` must outlive the task.
  virtual Task<records::v1::AttemptResult> Send(const Dispatch& dispatch, SteadyTime deadline) = 0;
};

}  // namespace tocsin
