#include "common/domain/registry/consents.h"

#include <mutex>

#include "common/base/encoding.h"

namespace tocsin {

std::string ConsentKey(std::string_view token, std::string_view sender_address) {
  return HexEncode(token) + '/' + std::string(sender_address);
}

bool ConsentBook::Apply(const records::v1::ConsentRecord& consent) {
  const std::unique_lock lock(mutex_);
  const Observation seen{consent.state(), consent.observe_time_us()};
  const auto [it, inserted] = observations_.try_emplace(
      ConsentKey(consent.recipient().token(), consent.sender_address()), seen);
  if (inserted) return true;
  // At the same time the opt-out wins: a missing message does less harm than an unwanted one.
  const bool later =
      seen.observed_us > it->second.observed_us ||
      (seen.observed_us == it->second.observed_us &&
       seen.state == records::v1::CONSENT_STATE_OPTED_OUT && it->second.state != seen.state);
  if (later) it->second = seen;
  return later;
}

bool ConsentBook::OptedOutAt(const std::string& key) const {
  const auto it = observations_.find(key);
  return it != observations_.end() && it->second.state == records::v1::CONSENT_STATE_OPTED_OUT;
}

bool ConsentBook::OptedOut(std::string_view token, std::string_view sender_address) const {
  const std::shared_lock lock(mutex_);
  return OptedOutAt(ConsentKey(token, sender_address)) || OptedOutAt(ConsentKey(token, ""));
}

}  // namespace tocsin
