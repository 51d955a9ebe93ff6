// A call: the request, its progress, and, while it is answered, the conversation.
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
  kInitiated,  // only in callbacks; the resource has queued
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

// The events that have status callbacks.
enum class CallEvent : std::uint8_t { kInitiated, kRinging, kAnswered, kCompleted };
inline constexpr std::array<std::string_view, 4> kCallEventNames = {"initiated", "ringing",
                                                                    "answered", "completed"};

enum class Detection : std::uint8_t { kOff, kEnable, kMessageEnd };

// A URL that Twilio requests, by GET or POST.
struct WebhookTarget {
  std::string url = {};
  bool get = false;
};

struct CallDraft {
  size_t account = 0;
  std::uint64_t request_number = 0;  // of the create attempt
  std::string to = {};
  std::string from = {};
  WebhookTarget script = {};  // has precedence over `twiml`
  std::string twiml = {};
  WebhookTarget fallback = {};
  WebhookTarget status_callback = {};
  unsigned events = 0;                     // bits by CallEvent
  std::chrono::seconds timeout{60};        // of ringing
  std::chrono::seconds time_limit{14400};  // from the answer to the end
  std::string send_digits = {};
  Detection detection = Detection::kOff;
  CallSeconds detection_timeout{30};
  bool async_detection = false;
  WebhookTarget detection_callback = {};
  std::vector<int> warnings = {};  // warning codes of Twilio about the request
};

// Something that the recipient heard or did.
struct HeardItem {
  WallTime at;
  std::string kind;  // say, play, pause, gather, digits, redirect, hangup, answer, error
  std::string text = {};
  std::string language = {};
  std::string voice = {};
};

// A <Gather> that waits for keys.
struct GatherState {
  WebhookTarget action;
  size_t max_digits = 0;  // 0: no limit
  std::string finish_on;  // a key, or empty
  CallSeconds timeout{5};
  bool action_on_empty_result = false;
  std::string digits = {};
  WallTime deadline = {};
  std::deque<std::pair<WallTime, char>> presses = {};  // scripted, not yet pressed
};

// The state of a call while it is answered.
struct Conversation {
  bool started = false;  // false: SendDigits or machine detection is in progress
  std::vector<Verb> verbs = {};
  size_t next_verb = 0;
  WebhookTarget document = {};  // the source of `verbs`; empty for the Twiml parameter
  unsigned documents = 0;       // fetched so far
  bool fetching = false;        // waiting for document number `documents`
  bool in_fallback = false;     // the fallback URL was used
  std::optional<GatherState> gather = {};
  size_t next_keys = 0;  // index in the script of the phone
};

constexpr size_t kMaxHeard = 200;  // per call; further ones are only counted
constexpr size_t kMaxNotes = 50;

struct Call {
  std::uint64_t number = 0;       // from 1, in order of creation
  std::uint64_t previous_to = 0;  // the previous call to the same number, or 0
  std::string to;
  CallDraft request;
  PhoneScript phone;
  CallStatus status = CallStatus::kQueued;
  std::array<std::int64_t, kCallStatusNames.size()> reached = {};  // Unix microseconds; 0: never
  WallTime created;
  WallTime updated;
  CallSeconds duration{0};  // from the answer to the end
  std::string answered_by;  // result of machine detection; empty: none
  CallSeconds detection_time{0};
  int sip = 0;                    // SIP code of the end
  unsigned callback_count = 0;    // callbacks made; the next SequenceNumber
  std::uint8_t acknowledged = 0;  // bits by CallEvent: the callback got a 2xx
  std::vector<HeardItem> heard;
  std::uint64_t heard_dropped = 0;
  std::vector<int> notes;  // codes that Twilio's debugger would show
  bool deleted = false;
  std::optional<Conversation> conversation;
  // Due times: the end of ringing or the next verb; the result of machine detection; the end of the
  // call (by the recipient or the time limit).
  std::optional<WallTime> next_at;
  std::optional<WallTime> detected_at;
  std::optional<WallTime> ends_at;

  bool Reached(CallStatus what) const { return reached[static_cast<size_t>(what)] != 0; }
  WallTime When(CallStatus what) const {
    return FromUnixMicros(reached[static_cast<size_t>(what)]);
  }
  bool Final() const { return status >= CallStatus::kCompleted; }
  void AddHeard(HeardItem moment) {
    if (heard.size() < kMaxHeard) return heard.push_back(std::move(moment));
    ++heard_dropped;
  }
  void Note(int code) {
    if (notes.size() < kMaxNotes) notes.push_back(code);
  }
};

}  // namespace tocsin::sim
