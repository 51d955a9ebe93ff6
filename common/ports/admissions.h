// Admission of alerts with an idempotency key: what is known of an alert before it is published.
// Also marks of all alerts. Stored in Redis.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/domain/delivery/known_attempt.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

struct AdmitRequest {
  std::string alert_id;  // used if the alert is new
  std::string client_id;
  std::string idempotency_digest;  // SHA-256 of client and idempotency key; not empty
  std::string request_digest;      // keyed digest of the request's canonical form
  std::string nonce;               // random; identifies this request
  WallTime create_time;
  WallTime expire_time;        // state is kept until 48 h later
  bool only_if_known = false;  // an unknown key is not admitted: kUnknownKey
  // Its attempts may be claimed without the store. Other admissions do not delay it.
  bool emergency = false;
};

struct Admission {
  enum class State {
    kNew,         // publish it
    kRepublish,   // an earlier request started and did not confirm: publish it under `alert_id`
    kReplay,      // accepted before; `alert_id`, `create_time`, `position` are those of the first
    kConflict,    // the key belongs to another request
    kUnknownKey,  // `only_if_known` and the key is unknown
  };
  State state = State::kNew;
  std::string alert_id;
  WallTime create_time;
  records::v1::Position position;
};

// An acknowledgement by the API that names another person is not stored for an alert that so many
// persons have acknowledged. A client can name any number of persons, but a plan has at most 32.
constexpr int kMaxAcknowledgements = 64;

// Stops all attempts of an alert that have not started. An acknowledgement by a person of a plan
// stops those to this person, and all once its goal is reached. One who declines stops those to
// this person, whose targets have failed. Without a plan this has no effect.
struct MarkRequest {
  enum class Mark { kCancelled, kAcknowledged, kDeclined };
  std::string alert_id;
  std::string client_id;  // must own the alert; empty for a verified link and for a reply
  Mark mark = Mark::kCancelled;
  WallTime time;
  // How and by whom it was acknowledged. The actor contains no PII and no line breaks.
  v1::AcknowledgementMethod method = v1::ACKNOWLEDGEMENT_METHOD_UNSPECIFIED;
  std::string actor_id = {};
  // Of a link, key press or reply: the step of the message or call, and what proves it
  // (Acknowledged).
  std::int32_t step = 0;
  std::string evidence = {};
  // The person of the plan who acknowledges or declines. Empty: the person of `step`, else
  // `actor_id`.
  std::string person = {};
  bool unless_cancelled = false;  // a cancelled alert is not marked
  // An alert that this person has acknowledged, or whose acknowledgements are complete, is not
  // marked.
  bool unless_acknowledged = false;
  // Present if the id proves that `client_id` owns the alert (IssuedId): the store need not know
  // it. Not in the past.
  std::optional<WallTime> issued_until = {};
};

struct MarkResult {
  // The alert did not have this mark before; of a plan: not by this person.
  bool newly_marked = false;
  // Of the first request that set this mark; of a plan: the first of this person. Beyond
  // kMaxAcknowledgements: of the alert.
  WallTime time = {};
  v1::AcknowledgementMethod method = v1::ACKNOWLEDGEMENT_METHOD_UNSPECIFIED;
  std::string actor_id = {};
  std::int32_t step = 0;
  std::string evidence = {};
  std::string client_id = {};     // who owns the alert
  std::string person = {};        // of the plan; empty without one, or if it is not known yet
  bool has_plan = false;          // false also if it is not known yet
  bool cancelled = false;         // `unless_cancelled`, and it is: it does not have this mark
  bool acknowledged = false;      // `unless_acknowledged`, and the same
  bool post_in_progress = false;  // a POST may be in progress
  // A callback or a lookup confirmed the delivery of an attempt; of a plan: its goal was reached by
  // its attempts, or was missed.
  bool delivered = false;
  // Emergencies are also sent by workers that cannot use the store. `post_in_progress` and
  // `results` may lack such attempts.
  bool may_be_emergency = false;
  // kDeclined by a person: the work record of the last target of this person that was claimed.
  // Empty if it is not known.
  std::string work = {};
  // Of the alert, if it was acknowledged before it was first cancelled.
  std::optional<StoredAcknowledgement> acknowledged_before = {};
  std::optional<WallTime> create_time = {};              // if the store knows it
  std::vector<records::v1::AttemptResult> results = {};  // of its attempts, in their order
};

// A reply to a text message with a code.
struct FindAckCodeRequest {
  std::string recipient_token;  // of the person who replied
  std::string code;             // empty: the reply has none
  std::string evidence;         // of the reply, as in MarkRequest; not empty
  WallTime time;
};

// The alerts that a reply may mean.
struct AckCodeMatches {
  struct Alert {
    std::string alert_id;
    std::int32_t step = 0;      // of the message
    bool acknowledged = false;  // by this person, or the acknowledgements are complete
    bool declined = false;      // by this person of its plan
    bool repeated = false;      // this reply has acknowledged or declined it
  };
  // With the code; without a code those that are not cancelled or were marked by this reply.
  std::vector<Alert> alerts;
  // Alerts of this person, with any code, that are neither acknowledged nor declined nor cancelled.
  int waiting = 0;
};

// Never blocks the caller: requests are queued and sent in batches. Safe to use from several
// threads. Callbacks are called once, within the store's timeout (1 s), on a thread of the store.
class Admissions {
 public:
  virtual ~Admissions() = default;

  // Fails with kRedisUnavailable when the store cannot be reached, or while acceptances are being
  // restored (AcceptanceRestorer); kOverloaded when the queue is full (then on the caller's
  // thread).
  virtual void Admit(AdmitRequest request, std::function<void(Result<Admission>)> done) = 0;

  // The alert was published at `position`. `done` is called when the store has saved it or could
  // not be reached.
  virtual void Confirm(const std::string& alert_id, const records::v1::Position& position,
                       std::function<void()> done) = 0;

  // The same for an emergency: a store with a queue does not let other alerts delay it.
  virtual void ConfirmEmergency(const std::string& alert_id, const records::v1::Position& position,
                                std::function<void()> done) {
    Confirm(alert_id, position, std::move(done));
  }

  // The publish certainly failed: deletes the alert if it is still being admitted under `nonce`.
  virtual void Withdraw(const std::string& alert_id, const std::string& idempotency_digest,
                        const std::string& nonce) = 0;

  // Sets the mark permanently. Fails with kRedisUnavailable when the store cannot be reached, or
  // while the alert or its attempts may not be restored yet; kOverloaded as Admit() does; kNotFound
  // when this client has no such alert (any more). Alerts without a key are not admitted: what they
  // have in the store was stored by a claim or a mark.
  virtual void Mark(MarkRequest request, std::function<void(Result<MarkResult>)> done) = 0;

  // Fails with kRedisUnavailable when the store cannot be reached, or while claims are not restored
  // yet: a claim stores the code (ClaimRequest::ack_code); kOverloaded as Admit() does.
  virtual void FindAckCode(FindAckCodeRequest request,
                           std::function<void(Result<AckCodeMatches>)> done) = 0;
};

}  // namespace tocsin
