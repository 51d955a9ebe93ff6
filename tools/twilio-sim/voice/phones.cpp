#include "tools/twilio-sim/voice/phones.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace tocsin::sim {
namespace {

constexpr std::array<std::string_view, 9> kNames = {
    "human", "machine", "fax", "unknown", "by-hand", "busy", "no-answer", "reject", "unreachable"};

constexpr std::string_view kMagicPrefix = "+15005556";
constexpr size_t kMagicLength = 12;
constexpr size_t kMaxKeyPresses = 10;  // of +1500555610K

PhoneScript MagicScript(std::string_view number) {
  const std::string_view digits = number.substr(kMagicPrefix.size());
  if (digits.starts_with("10")) {
    const KeyPress press{.digits = std::string(digits.substr(2))};
    return {.keys = std::vector<KeyPress>(kMaxKeyPresses, press)};
  }
  int code = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), code);
  switch (code) {
    case 200: return {.pickup = Pickup::kMachine};
    case 201: return {.pickup = Pickup::kFax};
    case 202: return {.pickup = Pickup::kUnknown};
    case 300: return {.pickup = Pickup::kManual};
    case 486: return {.pickup = Pickup::kBusy};
    case 487: return {.pickup = Pickup::kNoAnswer};
    case 603: return {.pickup = Pickup::kReject};
    default: break;
  }
  if (code < 400 || code > 599) return {};
  return {.pickup = Pickup::kUnreachable, .sip = code};
}

}  // namespace

std::string_view NameOf(Pickup pickup) { return kNames[static_cast<size_t>(pickup)]; }

std::optional<Pickup> PickupNamed(std::string_view name) {
  const auto* const found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Pickup>(found - kNames.begin());
}

bool Phones::SetScript(const std::string& number, std::vector<PhoneScript> scripts) {
  if (scripts_.size() >= kMaxPhoneScripts && !scripts_.contains(number)) return false;
  scripts_[number] = {std::move(scripts), 0};
  return true;
}

void Phones::Clear() {
  scripts_.clear();
  default_script_ = {};
}

PhoneScript Phones::Next(const std::string& number) {
  if (const auto found = scripts_.find(number); found != scripts_.end()) {
    Sequence& sequence = found->second;
    PhoneScript script = sequence.scripts[sequence.next];
    sequence.next = std::min(sequence.next + 1, sequence.scripts.size() - 1);
    return script;
  }
  if (number.size() == kMagicLength && number.starts_with(kMagicPrefix)) return MagicScript(number);
  return default_script_;
}

}  // namespace tocsin::sim
