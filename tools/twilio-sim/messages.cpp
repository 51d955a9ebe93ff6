#include "tools/twilio-sim/messages.h"

#include <utility>

#include "tools/twilio-sim/sids.h"

namespace tocsin::sim {
namespace {

constexpr int kValidityOver = 30036;
constexpr int kQueueOverflow = 30001;

}  // namespace

bool Message::Final() const {
  switch (status) {
    case Status::kDelivered:
    case Status::kUndelivered:
    case Status::kFailed:
    case Status::kCanceled:
    case Status::kReceived: return true;
    case Status::kSent: return outcome.last == Status::kSent;
    case Status::kAccepted:
    case Status::kScheduled:
    case Status::kQueued:
    case Status::kSending: return false;
  }
  return false;
}

Messages::Messages(std::uint64_t seed, Pace pace, size_t keep)
    : dice_(seed), pace_(pace), shelf_(keep) {}

Message& Messages::Add(const Draft& draft, WallTime now) {
  Message& message = shelf_.Add(draft.to);
  message.request_number = draft.request_number;
  message.account = draft.account;
  message.service = draft.service;
  message.from = draft.from;
  message.body = draft.body;
  message.status_callback = draft.status_callback;
  message.segments = draft.segments;
  message.media = draft.media;
  message.validity = draft.validity;
  message.created = now;
  return message;
}

const Message& Messages::Create(const Draft& draft, const Outcome& outcome, SenderQueues& queues,
                                WallTime now) {
  Message& message = Add(draft, now);
  message.outcome = outcome;
  if (draft.send_at) {
    Enter(message, Status::kScheduled, now);
    Plan(message, *draft.send_at);
  } else if (draft.service) {
    Enter(message, Status::kAccepted, now);
    Plan(message, now + Wait(pace_.accepted, std::nullopt, message));
  } else {
    Enter(message, Status::kQueued, now);
    EnterQueue(message, now, queues);
  }
  return message;
}

const Message& Messages::Receive(const Draft& draft, std::string_view answer, WallTime now) {
  Message& message = Add(draft, now);
  message.answer = answer;
  Enter(message, Status::kReceived, now);
  return message;
}

void Messages::Enter(Message& message, Status status, WallTime at) {
  message.status = status;
  message.updated = at;
  message.reached[static_cast<size_t>(status)] = ToUnixMicros(at);
}

Micros Messages::Wait(std::chrono::milliseconds usual,
                      std::optional<std::chrono::milliseconds> scripted,
                      const Message& message) const {
  if (scripted) return *scripted;
  const double jitter =
      0.5 + dice_.Unit(Purpose::kDelay, message.number, static_cast<std::uint64_t>(message.status));
  return std::chrono::duration_cast<Micros>(usual * jitter);
}

// The message takes its place behind the others of its sender; what would wait beyond its validity,
// or finds no room behind a service, fails when that is known.
void Messages::EnterQueue(Message& message, WallTime at, SenderQueues& queues) {
  if (message.service && queues.Full(message.from, message.segments, at)) {
    message.outcome = {.last = Status::kFailed, .error_code = kQueueOverflow};
    return Plan(message, at);
  }
  const WallTime ready = at + Wait(pace_.queued, message.outcome.queue, message);
  const WallTime turn = queues.Reserve(message.from, message.segments, ready);
  if (turn > message.created + message.validity && !message.Reached(Status::kScheduled)) {
    message.outcome = {.last = Status::kFailed, .error_code = kValidityOver};
    return Plan(message, message.created + message.validity);
  }
  Plan(message, turn);
}

// What follows on a message's status. A failure without a hop to the carrier leaves the queue at
// once.
Status Messages::Next(const Message& message) {
  switch (message.status) {
    case Status::kAccepted:
    case Status::kScheduled: return Status::kQueued;
    case Status::kQueued: {
      const bool never_sent =
          message.outcome.last == Status::kFailed && (message.outcome.error_code == kValidityOver ||
                                                      message.outcome.error_code == kQueueOverflow);
      return never_sent ? Status::kFailed : Status::kSending;
    }
    case Status::kSending:
      return message.outcome.last == Status::kFailed ? Status::kFailed : Status::kSent;
    default: return message.outcome.last;
  }
}

// A service keeps to one sender for one person, while it has the same ones.
void Messages::Choose(Message& message, const PoolOf& senders_of) const {
  if (!message.from.empty()) return;
  const std::vector<std::string>& pool = senders_of(*message.service);
  if (!pool.empty()) message.from = pool[std::hash<std::string>{}(message.to) % pool.size()];
}

std::vector<StatusChange> Messages::Advance(WallTime now, SenderQueues& queues,
                                            const PoolOf& senders_of) {
  std::vector<StatusChange> changes = std::exchange(untold_, {});
  while (const auto step = steps_.TakeDue(now)) {
    Message* const message = shelf_.Mutable(step->number);
    if (message == nullptr || message->Final()) continue;  // dropped or canceled meanwhile
    Enter(*message, Next(*message), step->due);
    changes.push_back({message->number, message->status});
    if (message->status == Status::kQueued) {
      Choose(*message, senders_of);
      EnterQueue(*message, step->due, queues);
    } else if (message->status == Status::kSending) {
      Plan(*message, step->due + Wait(pace_.sending, std::nullopt, *message));
    } else if (message->status == Status::kSent && !message->Final()) {
      Plan(*message, step->due + Wait(pace_.sent, message->outcome.delivery, *message));
    }
    if (message->Final() && message->status != Status::kSent) {
      message->error_code = message->outcome.error_code;
    }
  }
  return changes;
}

std::optional<WallTime> Messages::NextDue() const {
  return untold_.empty() ? steps_.NextDue() : WallTime();
}

const Message* Messages::Show(std::string_view sid, size_t account) const {
  const auto number = NumberOf(dice_, sid);
  const Message* const message = number ? Find(*number) : nullptr;
  if (message == nullptr || message->deleted || message->account != account) return nullptr;
  return SidOf(*message).substr(0, 2) == sid.substr(0, 2) ? message : nullptr;
}

std::string Messages::SidOf(const Message& message) const {
  return sim::SidOf(dice_, message.media > 0 ? "MM" : "SM", message.number);
}

void Messages::Redact(std::uint64_t number, WallTime now) {
  if (Message* message = shelf_.Mutable(number)) {
    message->redacted = true;
    message->updated = now;
  }
}

void Messages::Delete(std::uint64_t number) {
  if (Message* message = shelf_.Mutable(number)) message->deleted = true;
}

bool Messages::Cancel(std::uint64_t number, WallTime now) {
  Message* const message = shelf_.Mutable(number);
  if (message == nullptr || message->status != Status::kScheduled) return false;
  Enter(*message, Status::kCanceled, now);
  untold_.push_back({number, Status::kCanceled});
  return true;
}

void Messages::Acknowledge(std::uint64_t number, Status status) {
  if (Message* message = shelf_.Mutable(number)) {
    message->acknowledged =
        static_cast<std::uint16_t>(message->acknowledged | 1U << static_cast<unsigned>(status));
  }
}

void Messages::Clear(std::optional<std::uint64_t> seed) {
  if (seed) dice_ = Dice(*seed);
  shelf_.Clear(seed.has_value());
  steps_.Clear();
  untold_.clear();
}

}  // namespace tocsin::sim
