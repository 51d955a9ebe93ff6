// The behaviour of recipients of calls: who answers, when, and which keys they press.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tocsin::sim {

// Seconds of a call. Timing::call_second is their real duration.
using CallSeconds = std::chrono::duration<double>;

constexpr size_t kMaxPhoneScripts = 100'000;  // numbers

enum class Pickup : std::uint8_t {
  kHuman,
  kMachine,
  kFax,
  kUnknown,      // answered; machine detection has no result
  kManual,       // rings until the control API answers it
  kBusy,         // 486
  kNoAnswer,     // rings until the timeout, 487
  kReject,       // declined, 603: busy
  kUnreachable,  // failed, 404 or `sip`
};
std::string_view NameOf(Pickup pickup);  // as in JSON: "no-answer"
std::optional<Pickup> PickupNamed(std::string_view name);

struct KeyPress {
  std::string digits = {};  // 0-9 * # A-D; empty: nothing is pressed
  std::optional<CallSeconds> after =
      {};  // after the start of the <Gather>; default: after the prompt
};

struct PhoneScript {
  Pickup pickup = Pickup::kHuman;
  std::optional<int> sip = {};              // instead of the default SIP code
  CallSeconds ring{3};                      // until it is answered, busy or declined
  CallSeconds greeting{5};                  // of a machine
  std::string greeting_end = "beep";        // beep, silence, other
  std::vector<KeyPress> keys = {};          // one per <Gather>; later ones get nothing
  std::optional<CallSeconds> hang_up = {};  // after the answer
};

// +1 500 555 610K: a human who presses K at every <Gather> (ten times).
// +1 500 555 6200, 6201, 6202: machine, fax, unknown.
// +1 500 555 6300: answered manually.
// +1 500 555 6SIP: 486 busy, 487 no answer, 603 rejected; 4XX and 5XX else: unreachable, that code.
class Phones {
 public:
  // The scripts of the next calls to that number, in order. The last one applies to all later
  // calls. False if there are already kMaxPhoneScripts numbers.
  bool SetScript(const std::string& number, std::vector<PhoneScript> scripts);
  void SetDefaultScript(PhoneScript script) {
    default_script_ = std::move(script);
  }  // all other numbers
  void Clear();

  // The script of the next call to the number. Call once per call.
  PhoneScript Next(const std::string& number);

 private:
  struct Sequence {
    std::vector<PhoneScript> scripts;
    size_t next = 0;
  };
  std::unordered_map<std::string, Sequence> scripts_;
  PhoneScript default_script_;
};

}  // namespace tocsin::sim
