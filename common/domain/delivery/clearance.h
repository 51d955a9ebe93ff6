// Whether an attempt may be made now (pure).
#pragma once

#include <chrono>
#include <variant>

#include "common/base/time.h"
#include "common/domain/registry/consents.h"
#include "common/domain/registry/registry.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

// An attempt that may be made now, with its sender and account. Only Clear() creates one, so an
// unchecked attempt cannot reach the provider.
class ClearedAttempt {
 public:
  const Sender& sender() const { return *sender_; }
  const Account& account() const { return *account_; }
  // 1 to 36 000 s, not beyond the expire time: Twilio's ValidityPeriod.
  std::chrono::seconds validity() const { return validity_; }

 private:
  ClearedAttempt(const Sender& sender, const Account& account, std::chrono::seconds validity)
      : sender_(&sender), account_(&account), validity_(validity) {}
  friend struct Clearing;

  const Sender* sender_;  // owned by the registry snapshot
  const Account* account_;
  std::chrono::seconds validity_;
};

// Not due before `due`.
struct NotYet {
  WallTime due;
};

// Cleared, not yet due, or a result with ATTEMPT_OUTCOME_NOT_ATTEMPTED, status and reason.
using Clearance = std::variant<ClearedAttempt, NotYet, records::v1::AttemptResult>;

// Checks in this order: expire time, deadline of the plan, channel mode, sender and credentials,
// consent, due time. `registry` must outlive the result.
Clearance Clear(const records::v1::WorkRecord& work, const RegistrySnapshot& registry,
                const ConsentBook& consents, WallTime now);

// The result of an attempt that a rule ended before its POST.
records::v1::AttemptResult NotAttempted(v1::AttemptStatus status, ErrorCode reason, WallTime now);

// The address of a sender in consents: its number or its messaging service.
const std::string& ConsentName(const Sender& sender);

}  // namespace tocsin
