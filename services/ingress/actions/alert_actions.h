// Cancels and acknowledges alerts: mark, publish the event, respond.
//
// An emergency is also sent by workers that cannot use the store. Then the order of start and
// cancellation in the log decides: its cancellation publishes the request, reads what precedes it
// in the log (StartCheck), and publishes the outcome.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/base/result.h"
#include "common/domain/alert/issued_id.h"
#include "common/domain/message/ack_reply.h"
#include "common/ports/admissions.h"
#include "common/ports/clock.h"
#include "common/ports/record_log.h"
#include "common/ports/registry_source.h"
#include "common/ports/topics.h"
#include "common/ports/vault.h"
#include "services/ingress/acceptance/request.h"
#include "services/ingress/actions/reply_match.h"
#include "services/ingress/actions/start_check.h"
#include "tocsin/records/v1/records.pb.h"
#include "tocsin/v1/alert_service.pb.h"

namespace tocsin::ingress {

// What proves that a person acknowledged an alert: a verified link, or a key pressed in a call.
struct AckProof {
  std::string alert_id;
  std::int32_t step = 0;    // of the message or the call
  std::string evidence;     // SHA-256 of the link's token, or Twilio's SID of the call
  std::string person = {};  // of the plan; empty if it is not known or there is none
};

// A key was pressed in a call by which a person of a plan declines.
struct ReceivedDecline {
  records::v1::WorkRecord work;  // of the call, with a plan
  std::string call_sid;          // Twilio's SID of the call
};

// A reply that acknowledges or declines an alert.
struct ReceivedReply {
  AckReplyKind kind = AckReplyKind::kAcknowledge;
  std::string recipient_token;  // of the person who replied
  std::string code;             // empty: it has none
  std::string message_sid;      // Twilio's SID of the reply
};

enum class AckOutcome { kAcknowledged, kAlreadyAcknowledged, kCancelled };

// The store decides races with the workers: after its response no further attempt starts. Calls
// `done` once, after the event is on disk, within the timeouts of the store, the log and the check,
// on a thread of theirs or on the caller's. Fails with kNotFound if this client has no such alert;
// kKafkaUnavailable or kOutcomeUnknown if the alert is marked and its event may be missing;
// kOverloaded if there are too many requests, whether it is marked or not. After the last three the
// request can be repeated. Never blocks. Safe to use from several threads; the parts
// must outlive every callback.
class AlertActions {
 public:
  struct Parts {
    const Clock& clock;
    const RegistrySource& registry;
    Admissions& admissions;
    Vault& vault;
    RecordLog& log;
    const Topics& topics;
    StartCheck& start_check;
  };

  explicit AlertActions(Parts parts, RequestRules rules = {})
      : parts_(parts), rules_(std::move(rules)) {}

  void Cancel(const std::string& client_id, const v1::CancelRequest& request,
              const std::string& traceparent, std::function<void(Result<v1::CancelResponse>)> done);

  // Fails with kCancelled if a cancellation ended the alert.
  void Acknowledge(const std::string& client_id, const v1::AcknowledgeRequest& request,
                   const std::string& traceparent,
                   std::function<void(Result<v1::AcknowledgeResponse>)> done);

  // A key was pressed in a call of the alert: no cancellation came before it.
  void AcknowledgeByKeypress(const std::string& client_id, const AckProof& proof,
                             const std::string& traceparent,
                             std::function<void(Result<AckOutcome>)> done);

  // A person of a plan declines: is not contacted again, and the next step starts. Without the
  // store the next step starts after its wait, unless the alert is an emergency. A person who has
  // acknowledged does not decline any more: nothing is published.
  void Decline(const ReceivedDecline& decline, const std::string& traceparent,
               std::function<void(Status)> done);

  // A link in a message of the alert was used. An alert that a cancellation ended is not
  // acknowledged: kCancelled. Fails with kNotFound also if the store does not know the alert yet.
  void AcknowledgeByLink(const AckProof& proof, const std::string& traceparent,
                         std::function<void(Result<AckOutcome>)> done);

  // Acknowledges or declines the alert of this person that has the code, or the only one that waits
  // for a reply (MatchReply). A decline has the effect of Decline() if the alert has a plan, else
  // none; if the store does not have the person's work record, the next step starts after its wait.
  // A repetition of the same reply has the same result.
  void ProcessReply(const ReceivedReply& reply, const std::string& traceparent,
                    std::function<void(Result<AckReplyResult>)> done);

 private:
  struct Cancellation;
  struct DeclinedPerson;

  void OnCancelled(const std::shared_ptr<Cancellation>& cancellation, const MarkResult& marked);
  void CheckStarts(const std::shared_ptr<Cancellation>& cancellation,
                   std::optional<WallTime> create_time);
  void Conclude(const std::shared_ptr<Cancellation>& cancellation, v1::CancelOutcome outcome);
  records::v1::Event CancelEvent(const Cancellation& cancellation, v1::CancelOutcome outcome) const;
  std::optional<IssuedId> ReadId(const std::string& client_id, const std::string& alert_id,
                                 WallTime now) const;
  Status CheckActor(const std::string& actor_id) const;
  Status CheckPersonOf(const v1::AcknowledgeRequest& request) const;
  void MarkAcknowledged(MarkRequest request, const std::string& traceparent,
                        std::function<void(Result<AckOutcome>)> done);
  void AcknowledgeByReply(const ReceivedReply& reply, const ReplyMatch& match,
                          const std::string& traceparent,
                          std::function<void(Result<AckReplyResult>)> done);
  void DeclineByReply(MarkRequest request, AckReplyResult otherwise, const std::string& traceparent,
                      std::function<void(Result<AckReplyResult>)> done);
  void PublishAcknowledged(const std::string& alert_id, const MarkResult& marked,
                           const std::string& traceparent,
                           std::function<void(Result<records::v1::Position>)> done);
  void PublishDeclined(const DeclinedPerson& declined, const std::string& traceparent,
                       std::function<void(Status)> done);
  void PublishWork(const records::v1::WorkRecord& work, const std::string& traceparent,
                   std::function<void(Status)> done);
  void Publish(const records::v1::Event& event, const std::string& traceparent,
               std::function<void(Result<records::v1::Position>)> done);

  const Parts parts_;
  const RequestRules rules_;
};

}  // namespace tocsin::ingress
