// The messages of the simulated Twilio and how they move: a state machine on time that is handed
// in.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "tools/twilio-sim/agenda.h"
#include "tools/twilio-sim/create_request.h"
#include "tools/twilio-sim/dice.h"
#include "tools/twilio-sim/sender_queues.h"
#include "tools/twilio-sim/shelf.h"
#include "tools/twilio-sim/status.h"

namespace tocsin::sim {

constexpr size_t kDefaultKeptMessages = 2'000'000;

// How long each step takes, before a jitter of half of it up or down, drawn from the seed.
struct Pace {
  std::chrono::milliseconds accepted{10};     // accepted -> queued
  std::chrono::milliseconds queued{20};       // queued -> sending
  std::chrono::milliseconds sending{20};      // sending -> sent or failed
  std::chrono::milliseconds sent{40};         // sent -> delivered or undelivered
  std::chrono::milliseconds billed{500};      // sent -> the price is known
  std::chrono::milliseconds call_second{20};  // a second on the telephone
};

struct Message {
  std::uint64_t number = 0;  // from 1, in the order of acceptance
  std::uint64_t request_number = 0;
  std::uint64_t previous_to = 0;  // the message before it to the same number, or 0
  size_t account = 0;
  std::optional<size_t> service;
  std::string to;
  std::string from;  // empty while a service has not chosen
  std::string body;
  std::string status_callback;
  Status status = Status::kQueued;
  Outcome outcome;
  int error_code = 0;
  unsigned segments = 0;
  unsigned media = 0;
  std::chrono::seconds validity = kLongestValidity;
  WallTime created;
  WallTime updated;
  std::array<std::int64_t, kStatuses> reached = {};  // Unix microseconds by Status; 0: never
  std::uint16_t acknowledged = 0;  // bit by Status: the webhook was answered with 2xx
  std::string_view answer = {};    // Twilio's own, to an inbound STOP, START or HELP
  bool redacted = false;           // the body is shown empty
  bool deleted = false;            // the API does not show it

  bool Reached(Status what) const { return reached[static_cast<size_t>(what)] != 0; }
  WallTime When(Status what) const { return FromUnixMicros(reached[static_cast<size_t>(what)]); }
  bool Final() const;
  bool Inbound() const { return Reached(Status::kReceived); }
};

// A forward step of a message, in the order in which they happen.
struct StatusChange {
  std::uint64_t number;
  Status status;
};

class Messages {
 public:
  Messages(std::uint64_t seed, Pace pace, size_t keep);

  // The message as it is in the create answer.
  const Message& Create(const Draft& draft, const Outcome& outcome, SenderQueues& queues,
                        WallTime now);
  // An inbound message, received at once. `answer` is for ever.
  const Message& Receive(const Draft& draft, std::string_view answer, WallTime now);

  // Takes every step due at `now`, and gives what happened since the last call. `senders_of` names
  // a service's pool.
  using PoolOf = std::function<const std::vector<std::string>&(size_t service)>;
  std::vector<StatusChange> Advance(WallTime now, SenderQueues& queues, const PoolOf& senders_of);
  std::optional<WallTime> NextDue() const;

  const Message* Find(std::uint64_t number) const { return shelf_.Find(number); }
  // By SID; deleted ones are not found.
  const Message* Show(std::string_view sid, size_t account) const;
  std::string SidOf(const Message& message) const;

  void Redact(std::uint64_t number, WallTime now);
  void Delete(std::uint64_t number);
  bool Cancel(std::uint64_t number, WallTime now);  // false unless it is still scheduled
  void Acknowledge(std::uint64_t number, Status status);

  const Shelf<Message>& Kept() const { return shelf_; }
  const Dice& Randomness() const { return dice_; }
  const Pace& Speed() const { return pace_; }

  // Forgets all messages. With a seed the run starts over; without one the numbers, and so the
  // SIDs, go on.
  void Clear(std::optional<std::uint64_t> seed);

 private:
  Message& Add(const Draft& draft, WallTime now);
  void Enter(Message& message, Status status, WallTime at);
  void Plan(const Message& message, WallTime due) { steps_.Plan(due, message.number); }
  Micros Wait(std::chrono::milliseconds usual, std::optional<std::chrono::milliseconds> scripted,
              const Message& message) const;
  void EnterQueue(Message& message, WallTime at, SenderQueues& queues);
  static Status Next(const Message& message);
  void Choose(Message& message, const PoolOf& senders_of) const;

  Dice dice_;
  Pace pace_;
  Shelf<Message> shelf_;
  std::vector<StatusChange> untold_;  // happened by request, not yet given out by Advance()
  Agenda steps_;
};

}  // namespace tocsin::sim
