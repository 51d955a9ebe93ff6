#include "tools/twilio-sim/messages/outcomes.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

namespace tocsin::sim {
namespace {

constexpr std::string_view kMagicPrefix = "+1500555";
constexpr size_t kMagicLength = 12;
constexpr int kDeliveryCodes = 30000;

}  // namespace

void Outcomes::SetScript(const std::string& to, std::vector<Outcome> outcomes) {
  scripts_[to] = {std::move(outcomes), 0};
}

void Outcomes::Clear() {
  scripts_.clear();
  recovering_.clear();
}

Outcome Outcomes::Next(const std::string& to) {
  if (const auto found = scripts_.find(to); found != scripts_.end()) {
    Sequence& script = found->second;
    const Outcome outcome = script.outcomes[script.next];
    script.next = std::min(script.next + 1, script.outcomes.size() - 1);
    return outcome;
  }
  if (to.size() != kMagicLength || !to.starts_with(kMagicPrefix)) return {};
  int code = kDeliveryCodes;
  const char* digits = to.data() + kMagicPrefix.size() + 1;
  int offset = 0;
  std::from_chars(digits, to.data() + to.size(), offset);
  code += offset;
  switch (to[kMagicPrefix.size()]) {
    case '3': return {.last = Status::kUndelivered, .error_code = code};
    case '4': return {.last = Status::kFailed, .error_code = code};
    case '5': return {.last = Status::kSent};
    case '7':
      if (recovering_[to]++ == 0) return {.last = Status::kUndelivered, .error_code = code};
      return {};
    default: return {};
  }
}

}  // namespace tocsin::sim
