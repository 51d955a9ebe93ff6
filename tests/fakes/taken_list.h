// The carrier's books as the test writes them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/ports/taken_list.h"

namespace tocsin {

// One thread at a time.
class FakeTakenList final : public TakenList {
 public:
  // What was taken from a sender for a person.
  void Add(const std::string& to, const std::string& text, const std::string& sid, WallTime created,
           const std::string& sender = "main") {
    taken_.push_back({to, sender, {sid, created, Pii(text)}});
  }
  // A call, which lists no text.
  void AddCall(const std::string& to, const std::string& sid, WallTime created) {
    taken_.push_back({to, "main", {sid, created, std::nullopt}});
  }

  Result<std::vector<TakenEntry>> ListTaken(const TakenQuery& query, SteadyTime) override {
    ++asked;
    if (unreadable) return Fail(ErrorCode::kTwilioApiError, "the list cannot be read");
    std::vector<TakenEntry> found;
    for (const Taken& taken : taken_)
      if (taken.to == query.to.Reveal() && taken.sender == query.sender.id &&
          taken.entry.created >= query.from && taken.entry.created <= query.until)
        found.push_back(taken.entry);
    return found;
  }

  bool unreadable = false;
  int asked = 0;

 private:
  struct Taken {
    std::string to;
    std::string sender;
    TakenEntry entry;
  };
  std::vector<Taken> taken_;
};

}  // namespace tocsin
