// The door: what is known of an alert before it is published. Kept in Redis.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin {

struct AdmitRequest {
  std::string alert_id;  // the id it gets if it is new
  std::string client_id;
  std::string idempotency_digest;  // SHA-256 of client and key; empty without a key
  std::string request_digest;      // keyed digest of the request's canonical form
  std::string nonce;               // random, of this call
  WallTime accepted;
  WallTime not_after;          // state lives until 48 h after it
  bool only_if_known = false;  // a key that is not known is not admitted: kUnknown
};

struct Admission {
  enum class State {
    kNew,       // publish it
    kAgain,     // an earlier call began and never said how it ended: publish it under `alert_id`
    kReplay,    // accepted before: `alert_id`, `accepted`, `position` are the first answer
    kConflict,  // the key stands for another request
    kUnknown,   // only asked of a key that must be known: it is not
  };
  State state = State::kNew;
  std::string alert_id;
  WallTime accepted;
  v1::Position position;
};

// A mark that stops every try of an alert that has not begun.
struct MarkRequest {
  enum class Mark { kCancelled, kAcknowledged };
  std::string alert_id;
  std::string client_id;  // its owner; nobody else can mark it
  Mark mark = Mark::kCancelled;
  WallTime time;
  std::string by;  // who acknowledged: no PII, no line breaks
};

struct Marked {
  bool first = false;                      // nobody bore this mark on it before
  WallTime time = {};                      // of the first such mark
  std::string by = {};                     // who set that
  bool posting = false;                    // a POST may be under way
  std::vector<v1::Receipt> receipts = {};  // outcomes of its tries, in their order
};

// Never blocks the caller: requests are gathered and sent together. Safe to call from several
// threads.
class Admissions {
 public:
  virtual ~Admissions() = default;

  // Answers once, within the store's time-out (1 s), on a thread of the store; with
  // kRedisUnavailable when it cannot be asked, kOverloaded when the bounded queue is full (then on
  // the caller's thread).
  virtual void Admit(AdmitRequest request, std::function<void(Result<Admission>)> answer) = 0;

  // After the delivery report: the alert is accepted at `position`. `done` is called once, as an
  // answer of Admit(), when the store knows it or could not be told.
  virtual void Confirm(const std::string& alert_id, const v1::Position& position,
                       std::function<void()> done) = 0;

  // The publish certainly failed: forgets the alert, if it is still being admitted under `nonce`.
  virtual void Withdraw(const std::string& alert_id, const std::string& idempotency_digest,
                        const std::string& nonce) = 0;

  // Sets the mark, for ever, and says what it met. Answers as Admit does; kNotFound when this
  // client has no such alert (any more).
  virtual void Mark(MarkRequest request, std::function<void(Result<Marked>)> answer) = 0;
};

}  // namespace tocsin
