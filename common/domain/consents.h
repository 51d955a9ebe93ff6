// Who wants nothing from whom: a fold of tocsin.consents.
#pragma once

#include <cstdint>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "tocsin/v1/records.pb.h"

namespace tocsin {

// The key of a consent on its topic: hex of the recipient token, "/", sender.
std::string ConsentKey(std::string_view token, std::string_view sender);

// Thread-safe. Grows with the people who ever opted out or in, not with alerts.
class ConsentBook {
 public:
  // Takes an observation; the later one wins, whatever the order of arrival. True when it changed
  // something.
  bool Apply(const v1::ConsentRecord& consent);

  // Whether the person opted out of this sender (its number or messaging service), or of all.
  bool OptedOut(std::string_view token, std::string_view sender) const;

 private:
  struct Observation {
    v1::ConsentState state;
    std::int64_t observed_us;
  };
  bool OptedOutAt(const std::string& key) const;

  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, Observation> observations_;
};

}  // namespace tocsin
