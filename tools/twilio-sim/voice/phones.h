// What the people at the telephones do: who answers, when, and which keys they press.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tocsin::sim {

// Seconds as they pass on the telephone; how long one lasts here is Pace::call_second.
using CallSeconds = std::chrono::duration<double>;

constexpr size_t kMaxPhoneScripts = 100'000;  // numbers

enum class Pickup : std::uint8_t {
  kHuman,
  kMachine,
  kFax,
  kUnknown,      // answered, and machine detection cannot tell by what
  kByHand,       // rings until the control API answers for it
  kBusy,         // 486
  kNoAnswer,     // rings until the caller's time-out, 487
  kReject,       // declined by the person, 603: busy
  kUnreachable,  // failed, 404 or the SIP code that was given
};
std::string_view NameOf(Pickup pickup);  // as in JSON: "no-answer"
std::optional<Pickup> PickupNamed(std::string_view name);

struct KeyPress {
  std::string digits = {};  // 0-9 * # A-D, one after the other; empty: nothing is pressed
  std::optional<CallSeconds> after = {};  // from the Gather's begin; else when it has been heard
};

struct PhoneScript {
  Pickup pickup = Pickup::kHuman;
  std::optional<int> sip = {};        // instead of the pickup's own SIP code
  CallSeconds ring{3};                // until it is picked up, or until busy or reject is known
  CallSeconds greeting{5};            // of a machine
  std::string greeting_end = "beep";  // beep, silence, other
  std::vector<KeyPress> keys = {};    // one for each Gather; afterwards nothing is pressed
  std::optional<CallSeconds> hang_up = {};  // after the answer
};

// +1 500 555 610K: a person who presses K at every Gather (ten times).
// +1 500 555 6200, 6201, 6202: a machine, a fax, something unknown.
// +1 500 555 6300: answered by hand.
// +1 500 555 6SIP: 486 busy, 487 no answer, 603 rejected; 4XX and 5XX else: unreachable, that code.
class Phones {
 public:
  // The calls to that number take these in turn; the last one goes for all that follow. False when
  // there are kMaxPhoneScripts numbers already.
  bool Script(const std::string& number, std::vector<PhoneScript> scripts);
  void ScriptOthers(PhoneScript script) { others_ = std::move(script); }  // all other numbers
  void Clear();

  // What happens at the next call to the number: each use is one call.
  PhoneScript Next(const std::string& number);

 private:
  struct Line {
    std::vector<PhoneScript> scripts;
    size_t next = 0;
  };
  std::unordered_map<std::string, Line> scripts_;
  PhoneScript others_;
};

}  // namespace tocsin::sim
