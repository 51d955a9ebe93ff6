#include "common/domain/consents.h"

#include <mutex>

#include "common/base/encoding.h"

namespace tocsin {

std::string ConsentKey(std::string_view token, std::string_view sender) {
  return HexEncode(token) + '/' + std::string(sender);
}

bool ConsentBook::Apply(const v1::ConsentRecord& consent) {
  const std::unique_lock lock(mutex_);
  const Observation seen{consent.state(), consent.observed_time_us()};
  const auto [it, inserted] =
      observations_.try_emplace(ConsentKey(consent.recipient().token(), consent.sender()), seen);
  if (inserted) return true;
  // At the same instant the opt-out wins: silence harms less than an unwanted message.
  const bool later = seen.observed_us > it->second.observed_us ||
                     (seen.observed_us == it->second.observed_us &&
                      seen.state == v1::CONSENT_STATE_OPTED_OUT && it->second.state != seen.state);
  if (later) it->second = seen;
  return later;
}

bool ConsentBook::OptedOutAt(const std::string& key) const {
  const auto it = observations_.find(key);
  return it != observations_.end() && it->second.state == v1::CONSENT_STATE_OPTED_OUT;
}

bool ConsentBook::OptedOut(std::string_view token, std::string_view sender) const {
  const std::shared_lock lock(mutex_);
  return OptedOutAt(ConsentKey(token, sender)) || OptedOutAt(ConsentKey(token, ""));
}

}  // namespace tocsin
