#include "tools/twilio-sim/messages/messages.h"

#include <utility>

#include "tools/twilio-sim/sids.h"

namespace tocsin::sim {
namespace {

constexpr int kValidityExpired = 30036;
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

Messages::Messages(std::uint64_t seed, Timing timing, size_t keep)
    : random_(seed), timing_(timing), store_(keep) {}

Message& Messages::Add(const MessageDraft& draft, WallTime now) {
  Message& message = store_.Add(draft.to);
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

const Message& Messages::Create(const MessageDraft& draft, const Outcome& outcome,
                                SenderQueues& queues, WallTime now) {
  Message& message = Add(draft, now);
  message.outcome = outcome;
  if (draft.send_time) {
    SetStatus(message, Status::kScheduled, now);
    ScheduleStep(message, *draft.send_time);
  } else if (draft.service) {
    SetStatus(message, Status::kAccepted, now);
    ScheduleStep(message, now + Duration(timing_.accepted, std::nullopt, message));
  } else {
    SetStatus(message, Status::kQueued, now);
    EnterQueue(message, now, queues);
  }
  return message;
}

const Message& Messages::Receive(const MessageDraft& draft, std::string_view auto_reply,
                                 WallTime now) {
  Message& message = Add(draft, now);
  message.auto_reply = auto_reply;
  SetStatus(message, Status::kReceived, now);
  return message;
}

void Messages::SetStatus(Message& message, Status status, WallTime at) {
  message.status = status;
  message.updated = at;
  message.reached[static_cast<size_t>(status)] = ToUnixMicros(at);
}

Micros Messages::Duration(std::chrono::milliseconds usual,
                          std::optional<std::chrono::milliseconds> scripted,
                          const Message& message) const {
  if (scripted) return *scripted;
  const double jitter = 0.5 + random_.Unit(Purpose::kDelay, message.number,
                                           static_cast<std::uint64_t>(message.status));
  return std::chrono::duration_cast<Micros>(usual * jitter);
}

// Appends the message to the queue of its sender. It fails if it would be sent after its validity
// period, or if the queue of a sender of a service is full.
void Messages::EnterQueue(Message& message, WallTime at, SenderQueues& queues) {
  if (message.service && queues.Full(message.from, message.segments, at)) {
    message.outcome = {.last = Status::kFailed, .error_code = kQueueOverflow};
    return ScheduleStep(message, at);
  }
  const WallTime ready = at + Duration(timing_.queued, message.outcome.queue, message);
  const WallTime send_time = queues.Reserve(message.from, message.segments, ready);
  if (send_time > message.created + message.validity && !message.Reached(Status::kScheduled)) {
    message.outcome = {.last = Status::kFailed, .error_code = kValidityExpired};
    return ScheduleStep(message, message.created + message.validity);
  }
  ScheduleStep(message, send_time);
}

// The next status of a message. Failures in the queue skip `sending`.
Status Messages::Next(const Message& message) {
  switch (message.status) {
    case Status::kAccepted:
    case Status::kScheduled: return Status::kQueued;
    case Status::kQueued: {
      const bool failed_in_queue = message.outcome.last == Status::kFailed &&
                                   (message.outcome.error_code == kValidityExpired ||
                                    message.outcome.error_code == kQueueOverflow);
      return failed_in_queue ? Status::kFailed : Status::kSending;
    }
    case Status::kSending:
      return message.outcome.last == Status::kFailed ? Status::kFailed : Status::kSent;
    default: return message.outcome.last;
  }
}

// Sticky sender: a service uses the same sender for a recipient while its pool does not change.
void Messages::ChooseSender(Message& message, const PoolOf& pool_of) const {
  if (!message.from.empty()) return;
  const std::vector<std::string>& pool = pool_of(*message.service);
  if (!pool.empty()) message.from = pool[std::hash<std::string>{}(message.to) % pool.size()];
}

std::vector<StatusChange> Messages::Advance(WallTime now, SenderQueues& queues,
                                            const PoolOf& pool_of) {
  std::vector<StatusChange> changes = std::exchange(unreported_, {});
  while (const auto step = steps_.PopDue(now)) {
    Message* const message = store_.Mutable(step->number);
    if (message == nullptr || message->Final()) continue;  // dropped or canceled
    SetStatus(*message, Next(*message), step->due);
    changes.push_back({message->number, message->status});
    if (message->status == Status::kQueued) {
      ChooseSender(*message, pool_of);
      EnterQueue(*message, step->due, queues);
    } else if (message->status == Status::kSending) {
      ScheduleStep(*message, step->due + Duration(timing_.sending, std::nullopt, *message));
    } else if (message->status == Status::kSent && !message->Final()) {
      ScheduleStep(*message,
                   step->due + Duration(timing_.sent, message->outcome.delivery, *message));
    }
    if (message->Final() && message->status != Status::kSent) {
      message->error_code = message->outcome.error_code;
    }
  }
  return changes;
}

std::optional<WallTime> Messages::NextDue() const {
  return unreported_.empty() ? steps_.NextDue() : WallTime();
}

const Message* Messages::FindBySid(std::string_view sid, size_t account) const {
  const auto number = NumberOf(random_, sid);
  const Message* const message = number ? Find(*number) : nullptr;
  if (message == nullptr || message->deleted || message->account != account) return nullptr;
  return SidOf(*message).substr(0, 2) == sid.substr(0, 2) ? message : nullptr;
}

std::string Messages::SidOf(const Message& message) const {
  return sim::SidOf(random_, message.media > 0 ? "MM" : "SM", message.number);
}

void Messages::Redact(std::uint64_t number, WallTime now) {
  if (Message* message = store_.Mutable(number)) {
    message->redacted = true;
    message->updated = now;
  }
}

void Messages::Delete(std::uint64_t number) {
  if (Message* message = store_.Mutable(number)) message->deleted = true;
}

bool Messages::Cancel(std::uint64_t number, WallTime now) {
  Message* const message = store_.Mutable(number);
  if (message == nullptr || message->status != Status::kScheduled) return false;
  SetStatus(*message, Status::kCanceled, now);
  unreported_.push_back({number, Status::kCanceled});
  return true;
}

void Messages::Acknowledge(std::uint64_t number, Status status) {
  if (Message* message = store_.Mutable(number)) {
    message->acknowledged =
        static_cast<std::uint16_t>(message->acknowledged | 1U << static_cast<unsigned>(status));
  }
}

void Messages::Clear(std::optional<std::uint64_t> seed) {
  if (seed) random_ = SeededRandom(*seed);
  store_.Clear(seed.has_value());
  steps_.Clear();
  unreported_.clear();
}

}  // namespace tocsin::sim
