// The messages and their status changes: a state machine whose time is an argument.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "tools/twilio-sim/messages/create_message.h"
#include "tools/twilio-sim/messages/message_status.h"
#include "tools/twilio-sim/messages/sender_queues.h"
#include "tools/twilio-sim/numbered_store.h"
#include "tools/twilio-sim/random.h"
#include "tools/twilio-sim/schedule.h"

namespace tocsin::sim {

constexpr size_t kDefaultKeptMessages = 2'000'000;

// The duration of each step, before a random jitter of up to half of it.
struct Timing {
  std::chrono::milliseconds accepted{10};     // accepted -> queued
  std::chrono::milliseconds queued{20};       // queued -> sending
  std::chrono::milliseconds sending{20};      // sending -> sent or failed
  std::chrono::milliseconds sent{40};         // sent -> delivered or undelivered
  std::chrono::milliseconds billed{500};      // sent -> price available
  std::chrono::milliseconds call_second{20};  // one second of a call
};

struct Message {
  std::uint64_t number = 0;  // from 1, in order of creation
  std::uint64_t request_number = 0;
  std::uint64_t previous_to = 0;  // the previous message to the same number, or 0
  size_t account = 0;
  std::optional<size_t> service;
  std::string to;
  std::string from;  // empty until the service has selected a sender
  std::string body;
  std::string status_callback;
  Status status = Status::kQueued;
  Outcome outcome;
  int error_code = 0;
  unsigned segments = 0;
  unsigned media = 0;
  std::chrono::seconds validity = kMaxValidity;
  WallTime created;
  WallTime updated;
  std::array<std::int64_t, kStatuses> reached = {};  // Unix microseconds by Status; 0: never
  std::uint16_t acknowledged = 0;    // bits by Status: the status callback got a 2xx
  std::string_view auto_reply = {};  // Twilio's reply to an inbound STOP, START or HELP
  bool redacted = false;             // the API returns an empty body
  bool deleted = false;              // the API does not return it

  bool Reached(Status what) const { return reached[static_cast<size_t>(what)] != 0; }
  WallTime When(Status what) const { return FromUnixMicros(reached[static_cast<size_t>(what)]); }
  bool Final() const;
  bool Inbound() const { return Reached(Status::kReceived); }
};

// A status change of a message.
struct StatusChange {
  std::uint64_t number;
  Status status;
};

class Messages {
 public:
  Messages(std::uint64_t seed, Timing timing, size_t keep);

  // Returns the message as it is in the response to the create request.
  const Message& Create(const MessageDraft& draft, const Outcome& outcome, SenderQueues& queues,
                        WallTime now);
  // Adds an inbound message. `auto_reply` must have static storage duration.
  const Message& Receive(const MessageDraft& draft, std::string_view auto_reply, WallTime now);

  // Makes all changes that are due at `now`. Returns the changes since the last call, in order.
  // `pool_of` returns the senders of a service.
  using PoolOf = std::function<const std::vector<std::string>&(size_t service)>;
  std::vector<StatusChange> Advance(WallTime now, SenderQueues& queues, const PoolOf& pool_of);
  std::optional<WallTime> NextDue() const;

  const Message* Find(std::uint64_t number) const { return store_.Find(number); }
  // Null for a deleted message.
  const Message* FindBySid(std::string_view sid, size_t account) const;
  std::string SidOf(const Message& message) const;

  void Redact(std::uint64_t number, WallTime now);
  void Delete(std::uint64_t number);
  bool Cancel(std::uint64_t number, WallTime now);  // false if it is not scheduled
  void Acknowledge(std::uint64_t number, Status status);

  const NumberedStore<Message>& Store() const { return store_; }
  const SeededRandom& Random() const { return random_; }
  const Timing& timing() const { return timing_; }
  void SetCallSecond(std::chrono::milliseconds duration) { timing_.call_second = duration; }

  // Deletes all messages. With a seed, numbers and SIDs start again; without, they continue.
  void Clear(std::optional<std::uint64_t> seed);

 private:
  Message& Add(const MessageDraft& draft, WallTime now);
  void SetStatus(Message& message, Status status, WallTime at);
  void ScheduleStep(const Message& message, WallTime due) { steps_.Add(due, message.number); }
  Micros Duration(std::chrono::milliseconds usual,
                  std::optional<std::chrono::milliseconds> scripted, const Message& message) const;
  void EnterQueue(Message& message, WallTime at, SenderQueues& queues);
  static Status Next(const Message& message);
  void ChooseSender(Message& message, const PoolOf& pool_of) const;

  SeededRandom random_;
  Timing timing_;
  NumberedStore<Message> store_;
  std::vector<StatusChange> unreported_;  // made by a request, not yet returned by Advance()
  Schedule steps_;
};

}  // namespace tocsin::sim
