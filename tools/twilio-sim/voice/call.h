// A call of the simulated Twilio: what was asked for, what has happened, and, while somebody is on
// the line, the conversation.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/time.h"
#include "tools/twilio-sim/voice/phones.h"
#include "tools/twilio-sim/voice/twiml.h"

namespace tocsin::sim {

enum class CallStatus : std::uint8_t {
  kQueued,
  kInitiated,  // in callbacks only; the resource says queued
  kRinging,
  kInProgress,
  kCompleted,
  kBusy,
  kFailed,
  kNoAnswer,
  kCanceled,
};
inline constexpr std::array<std::string_view, 9> kCallStatusNames = {
    "queued", "initiated", "ringing",   "in-progress", "completed",
    "busy",   "failed",    "no-answer", "canceled"};
constexpr std::string_view NameOf(CallStatus status) {
  return kCallStatusNames[static_cast<size_t>(status)];
}

// What a status callback tells of.
enum class CallEvent : std::uint8_t { kInitiated, kRinging, kAnswered, kCompleted };
inline constexpr std::array<std::string_view, 4> kCallEventNames = {"initiated", "ringing",
                                                                    "answered", "completed"};

enum class Detection : std::uint8_t { kOff, kEnable, kMessageEnd };

// An address that Twilio asks, and how.
struct Hook {
  std::string url = {};
  bool get = false;
};

struct CallDraft {
  size_t account = 0;
  std::uint64_t request_number = 0;  // of the create attempt
  std::string to = {};
  std::string from = {};
  Hook script = {};  // wins over `twiml`
  std::string twiml = {};
  Hook fallback = {};
  Hook status_callback = {};
  unsigned events = 0;                     // bit by CallEvent
  std::chrono::seconds timeout{60};        // ringing
  std::chrono::seconds time_limit{14400};  // from the answer to the end
  std::string send_digits = {};
  Detection detection = Detection::kOff;
  CallSeconds detection_timeout{30};
  bool async_detection = false;
  Hook detection_callback = {};
  std::vector<int> oddities = {};  // Twilio's warnings about the request
};

// What the person at the telephone has heard or done, as a test asks for it.
struct Moment {
  WallTime at;
  std::string kind;  // say, play, pause, gather, digits, redirect, hangup, answer, error
  std::string text = {};
  std::string language = {};
  std::string voice = {};
};

// A Gather that waits for keys.
struct Gathering {
  Hook action;
  size_t most = 0;        // digits; 0: no bound
  std::string finish_on;  // a key, or empty
  CallSeconds timeout{5};
  bool act_on_nothing = false;
  std::string digits = {};
  WallTime deadline = {};
  std::deque<std::pair<WallTime, char>> presses = {};  // by script, still to come
};

// The part of a call that is of use only while it is answered.
struct Conversation {
  bool started = false;  // else the digits to send or machine detection come first
  std::vector<Verb> verbs = {};
  size_t next_verb = 0;
  Hook document = {};        // where `verbs` came from; no URL for the Twiml of the request
  unsigned documents = 0;    // fetched so far
  bool fetching = false;     // an answer is awaited: to the request number `documents`
  bool in_fallback = false;  // the awaited document is the fallback's
  std::optional<Gathering> gathering = {};
  size_t next_keys = 0;  // of the phone's script
};

constexpr size_t kMaxMoments = 200;  // of one call; later ones are counted only
constexpr size_t kMaxNotes = 50;

struct Call {
  std::uint64_t number = 0;       // from 1, in the order of acceptance
  std::uint64_t previous_to = 0;  // the call before it to the same number, or 0
  std::string to;
  CallDraft asked;
  PhoneScript phone;
  CallStatus status = CallStatus::kQueued;
  std::array<std::int64_t, kCallStatusNames.size()> reached = {};  // Unix microseconds; 0: never
  WallTime created;
  WallTime updated;
  CallSeconds talked{0};    // answer to end
  std::string answered_by;  // of machine detection; empty: not known
  CallSeconds detection_took{0};
  int sip = 0;                    // of the end
  unsigned told = 0;              // callbacks made: the next SequenceNumber
  std::uint8_t acknowledged = 0;  // bit by CallEvent: the webhook was answered with 2xx
  std::vector<Moment> moments;
  std::uint64_t moments_left_out = 0;
  std::vector<int> notes;  // what Twilio's debugger would show
  bool deleted = false;
  std::optional<Conversation> talk;
  // When something happens next by itself, each if set: the ringing's end or the next verb, what
  // machine detection finds, and the end (the phone's or the time limit's).
  std::optional<WallTime> next_at;
  std::optional<WallTime> detected_at;
  std::optional<WallTime> ends_at;

  bool Reached(CallStatus what) const { return reached[static_cast<size_t>(what)] != 0; }
  WallTime When(CallStatus what) const {
    return FromUnixMicros(reached[static_cast<size_t>(what)]);
  }
  bool Final() const { return status >= CallStatus::kCompleted; }
  void Hear(Moment moment) {
    if (moments.size() < kMaxMoments) return moments.push_back(std::move(moment));
    ++moments_left_out;
  }
  void Note(int code) {
    if (notes.size() < kMaxNotes) notes.push_back(code);
  }
};

}  // namespace tocsin::sim
