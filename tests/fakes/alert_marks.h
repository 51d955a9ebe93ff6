// The marks of an alert in the fake claim store: of the alert as a whole, and of persons of its
// plan.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/ports/claims.h"

namespace tocsin {

class AlertMarks {
 public:
  using Stored = StoredAcknowledgement;  // a mark of any kind

  // Sets the mark of a person; of the alert as a whole if `person` is empty. The first one stays.
  // Returns whether it was not set before.
  bool Set(WallTime time, const KnownMark& mark, const std::string& person) {
    return marks_.try_emplace({mark.kind, person}, Stored{.time = time, .mark = mark}).second;
  }
  const Stored* Find(KnownMark::Kind kind, const std::string& person = {}) const {
    const auto found = marks_.find({kind, person});
    return found == marks_.end() ? nullptr : &found->second;
  }
  // Of the alert as a whole.
  void Erase(KnownMark::Kind kind) { marks_.erase({kind, std::string()}); }

  std::vector<StoredAcknowledgement> AcknowledgementsOfPersons() const {
    std::vector<StoredAcknowledgement> found;
    for (const auto& [key, stored] : marks_)
      if (key.first == KnownMark::Kind::kAcknowledged && !key.second.empty())
        found.push_back(stored);
    return found;
  }

 private:
  std::map<std::pair<KnownMark::Kind, std::string>, Stored> marks_;
};

}  // namespace tocsin
