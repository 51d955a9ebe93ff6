// Whether a try may be made now (pure).
#pragma once

#include <chrono>
#include <variant>

#include "common/base/time.h"
#include "common/domain/consents.h"
#include "common/domain/registry.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin {

// Go: by this sender and account. Only Clear() makes one, so what was not checked cannot reach the
// carrier.
class ClearedTry {
 public:
  const Sender& sender() const { return *sender_; }
  const Account& account() const { return *account_; }
  std::chrono::seconds validity() const {
    return validity_;
  }  // 1 … 36 000 s, within the alert's horizon

 private:
  ClearedTry(const Sender& sender, const Account& account, std::chrono::seconds validity)
      : sender_(&sender), account_(&account), validity_(validity) {}
  friend struct Clearing;

  const Sender* sender_;  // of the snapshot that was asked; lives as long as it
  const Account* account_;
  std::chrono::seconds validity_;
};

// Not yet: due then.
struct NotYet {
  WallTime due;
};

// Go, not yet, or an end before the POST: a receipt of outcome ENDED with status and reason.
using Clearance = std::variant<ClearedTry, NotYet, v1::Receipt>;

// The rules, in this order: horizon, channel toggle, sender and credentials, consent, due time.
// `registry` must outlive the answer.
Clearance Clear(const v1::WorkRecord& work, const RegistrySnapshot& registry,
                const ConsentBook& consents, WallTime now);

// The receipt of a try that a rule ended before its POST.
v1::Receipt EndedBeforePost(v1::TryStatus status, ErrorCode reason, WallTime now);

// What ConsentBook knows a sender by: its number, or its messaging service.
const std::string& ConsentName(const Sender& sender);

}  // namespace tocsin
