// What became of an alert, worked out from what is known of it. Pure: no clock, no store. A try's
// fold is the join of its facts, so it is the same for every order and any number of repetitions;
// an alert's state is a function of its terms and of all its facts.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "tocsin/v1/records.pb.h"
#include "tocsin/v1/types.pb.h"

namespace tocsin {

// The numbers are stored: they are never given to anything else.
enum class FactKind : std::int16_t {
  kTryChanged = 1,       // an event: a process of ours says what became of a try
  kCallback = 2,         // Twilio says it, in a verified request
  kAcknowledged = 3,     // somebody took notice
  kCancelRequested = 4,  // the caller cancelled
  kPriced = 5,           // segments or price of a try
};

// Twilio's SIDs of calls begin so.
constexpr std::string_view kCallSidPrefix = "CA";

// Who took a completed call, as the reason of its fact says it; empty where nobody knows.
constexpr std::string_view kTakenByHuman = "ANSWERED_HUMAN";
constexpr std::string_view kTakenByMachine = "ANSWERED_MACHINE";

// One thing that happened, free of PII. Equal ids mean equal facts.
struct Fact {
  std::string id;  // UUID: event_id, or webhook_id
  FactKind kind = FactKind::kTryChanged;
  std::uint32_t step = 0;     // 0: it tells of the alert
  std::uint32_t attempt = 0;  // `try` of the name
  WallTime time;              // when it happened; of a callback: when it came
  v1::TryStatus status = v1::TRY_STATUS_UNSPECIFIED;
  // From the closed list; empty for none. Of a completed call: kTakenByHuman or kTakenByMachine.
  std::string reason;
  std::int32_t provider_code = 0;
  std::string provider_sid;
  std::string sender;  // by id
  std::uint32_t segments = 0;
  std::uint32_t next_try = 0;  // the follow-up's number; 0 for none
  bool last = false;           // no try of this step follows
  std::string note;            // remark of a try; by whom; outcome of a cancel; Twilio's word
  std::optional<std::int64_t> price_micros;
  std::string currency;
};

// Nothing when the event tells nothing of an alert (ActRecorded), or has no fact at all.
std::optional<Fact> FactOf(const v1::Event& event);

// What a callback tells of the try it names. Nothing for requests that carry no status, for words
// that are not in Twilio's list, and without a try. `twilio.md` 3 and 4 have the words.
std::optional<Fact> FactOf(const v1::WebhookRecord& webhook);

// The same for a callback whose try became known later, by its SID.
std::optional<Fact> FactOf(const v1::WebhookRecord& webhook, const v1::TryName& name);

// Ends before sending < SENT < other proof of the carrier < DELIVERED; FAILED(IN_DOUBT) ranks below
// SENT, for a late proof mends it. Higher wins.
int RankOf(v1::TryStatus status, std::string_view reason);

bool IsEnd(v1::TryStatus status);

// One try: the least upper bound of the facts put into it.
class TryFold {
 public:
  TryFold(std::uint32_t step, std::uint32_t attempt) : step_(step), attempt_(attempt) {}

  // Commutative and idempotent. The fact names this try.
  void Apply(const Fact& fact);

  std::uint32_t step() const { return step_; }
  std::uint32_t attempt() const { return attempt_; }
  // Of a call that was completed: who took it, where that is known (V5); a pressed key proves a
  // person.
  v1::TryStatus status() const;
  const std::string& reason() const { return deciding_.reason; }
  std::int32_t provider_code() const { return deciding_.provider_code; }
  WallTime status_since() const { return status_since_; }  // the first fact that told of the status
  const std::string& provider_sid() const { return provider_sid_; }
  const std::string& sender() const { return sender_; }
  std::uint32_t segments() const { return segments_; }
  std::optional<WallTime> started() const { return started_; }  // its POST began
  WallTime updated() const { return updated_; }
  std::optional<std::int64_t> price_micros() const;
  std::string currency() const;

  bool Saw(v1::TryStatus status) const { return (seen_ >> status & 1U) != 0; }
  bool doubted() const { return Saw(v1::TRY_STATUS_IN_DOUBT); }
  std::uint32_t next_try() const { return next_try_; }
  bool last() const { return last_; }

  // It came to an end. An end by a callback may still be followed by another try: the event that
  // says so opens the alert again.
  bool Settled() const { return IsEnd(deciding_.status); }
  // The carrier says that a call reached nobody, and the worker has not said yet whether another
  // follows.
  bool Undecided() const;
  bool Begun() const;  // its POST may have been made

 private:
  void Decide(const Fact& fact);

  std::uint32_t step_;
  std::uint32_t attempt_;
  Fact deciding_;  // the highest by rank, then by fixed rules: order of arrival decides nothing
  WallTime status_since_ = WallTime::max();
  std::string provider_sid_;
  std::string sender_;
  std::uint32_t segments_ = 0;
  std::optional<WallTime> started_;
  WallTime updated_ = WallTime::min();
  std::optional<Fact> price_;
  std::uint32_t seen_ = 0;  // bit n: status n was told
  std::uint32_t next_try_ = 0;
  bool last_ = false;
};

// What the acceptance says of an alert's way.
struct AlertTerms {
  bool accepted = false;  // the acceptance is known; without it nothing but success is an end
  // What makes step 2, 3, … needless: 1 delivered, 2 acknowledged (v1::StepCondition).
  std::vector<std::uint32_t> later_steps;
};

struct FoldedAlert {
  v1::AlertState state = v1::ALERT_STATE_PENDING;
  std::string reason;               // empty while under way, delivered or acknowledged
  std::optional<WallTime> ended;    // set at an end
  std::optional<WallTime> updated;  // the last fact; nothing without facts
  std::vector<TryFold> tries;       // by step and try
};

FoldedAlert FoldAlert(const AlertTerms& terms, std::span<const Fact> facts);

bool IsEnd(v1::AlertState state);

}  // namespace tocsin
