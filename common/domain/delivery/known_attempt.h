// What the events in Kafka show of an attempt or its alert: restores a claim store that lost data
// (pure).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/time.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

// A mark that stops all attempts of an alert that have not started.
struct KnownMark {
  enum class Kind { kCancelled, kAcknowledged, kDeclined, kGoalMissed };
  Kind kind = Kind::kCancelled;
  // How and by whom it was acknowledged.
  v1::AcknowledgementMethod method = v1::ACKNOWLEDGEMENT_METHOD_UNSPECIFIED;
  std::string actor_id = {};
  // Of a link, key press or reply: the step of the message or call, and what proves it
  // (Acknowledged).
  std::int32_t step = 0;
  std::string evidence = {};
  std::string person = {};  // of the plan; empty without one
};

// An acknowledgement that the store knows.
struct StoredAcknowledgement {
  WallTime time;
  KnownMark mark;
};

// What one event shows: of an attempt, or of a mark on its alert.
struct KnownAttempt {
  v1::AttemptRef name;
  std::string client_id;
  WallTime time;                      // of the event
  WallTime lease_until;               // while only its start is known
  records::v1::AttemptResult result;  // outcome unspecified while only its start or price is known
  bool ended = false;                 // its final status was published
  bool delivered = false;             // and it is DELIVERED
  bool priced = false;
  // Of a failure after acceptance: the time by which was decided what follows (NoteUndelivered).
  std::optional<WallTime> undelivered_time = {};
  std::optional<KnownMark> mark = {};  // if set, only alert, client and time are valid
  // Of a start: the code by which a reply acknowledges the alert, and who received it.
  std::string ack_code = {};
  std::string recipient_token = {};
  // Of the first event of an attempt in a plan: whom its target reaches, the goal, and how many
  // persons must acknowledge.
  std::string person = {};
  v1::Reach goal = v1::REACH_UNSPECIFIED;
  std::int32_t person_count = 0;
};

// The event of an acknowledgement, as KnownAttemptOf() reads it. Equal arguments give equal events.
records::v1::Event AcknowledgedEvent(const std::string& client_id, const std::string& alert_id,
                                     WallTime time, const KnownMark& mark);

// The event of a person who declines, in the same way.
records::v1::Event DeclinedEvent(const std::string& client_id, const std::string& alert_id,
                                 WallTime time, const KnownMark& mark);

// nullopt for events that do not affect claims.
std::optional<KnownAttempt> KnownAttemptOf(const records::v1::Event& event);

// A callback proves that the provider accepted the attempt it names.
std::optional<KnownAttempt> KnownAttemptOf(const records::v1::WebhookRecord& callback);

// Lower bound for the time of all events of the work record's attempts.
WallTime EarliestEventTime(const records::v1::WorkRecord& work);

}  // namespace tocsin
