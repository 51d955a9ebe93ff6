// Carries messages to people; Twilio in production.
#pragma once

#include <chrono>
#include <string>

#include "common/base/secret.h"
#include "common/base/time.h"
#include "common/domain/registry.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin {

// Everything one POST needs. PII is open here and nowhere else.
struct Dispatch {
  v1::TryName name;
  Pii to;  // E.164
  Pii text;
  Account account;
  Sender sender;
  v1::Position work;                // where the work record stands: travels in the callback's token
  std::chrono::seconds validity{};  // 1 … 36 000: the carrier gives up after it
  std::string traceparent = {};     // of the work record; empty: a new trace begins
  v1::SpokenForm spoken = {};       // of a call
};

class Carrier {
 public:
  virtual ~Carrier() = default;

  // Hands the alert over and says what is known of it; the receipt is a value, never an error.
  // Fills outcome, provider fields, http_status, retry_after_us, reason, segments; times, sender
  // and account are the caller's. Blocks, kPostLimit (30 s) at most and never past `deadline`. One
  // call is one try. Safe to call from several threads.
  virtual v1::Receipt Send(const Dispatch& dispatch, SteadyTime deadline) = 0;
};

}  // namespace tocsin
