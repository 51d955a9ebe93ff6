// Opt-outs, projected from the topic tocsin.consents. S4
#pragma once

#include <cstdint>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

// The record key of a consent: hex of the recipient token, "/", sender address.
std::string ConsentKey(std::string_view token, std::string_view sender_address);

// Thread-safe. Grows with the recipients who ever opted out or in, not with alerts.
class ConsentBook {
 public:
  // Applies an observation. The latest one wins, in any order of arrival. Returns whether anything
  // changed.
  bool Apply(const records::v1::ConsentRecord& consent);

  // Whether the recipient opted out of this sender (by phone number or messaging service) or of
  // all.
  bool OptedOut(std::string_view token, std::string_view sender_address) const;

 private:
  struct Observation {
    records::v1::ConsentState state;
    std::int64_t observed_us;
  };
  bool OptedOutAt(const std::string& key) const;

  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, Observation> observations_;
};

}  // namespace tocsin
