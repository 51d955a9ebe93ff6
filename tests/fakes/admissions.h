// Admissions and AcceptanceRestorer in memory. Calls back on the caller's thread.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/ports/acceptance_restorer.h"
#include "common/ports/admissions.h"

namespace tocsin {

// Safe to use from several threads.
class FakeAdmissions final : public Admissions, public AcceptanceRestorer {
 public:
  void SetDown(bool down) {
    const std::lock_guard lock(mutex_);
    down_ = down;
  }
  // Deletes all data; every request fails from now on.
  void LoseData() {
    const std::lock_guard lock(mutex_);
    alerts_.clear();
    keys_.clear();
    down_ = true;
  }
  // Deletes all data; acceptances must be restored.
  void StartRestoring() {
    const std::lock_guard lock(mutex_);
    alerts_.clear();
    keys_.clear();
    down_ = false;
    restored_ = false;
  }
  // A worker has claimed an attempt of this alert.
  void SetClaimed(const std::string& alert_id) {
    const std::lock_guard lock(mutex_);
    alerts_[alert_id].claimed = true;
  }
  // An attempt of this alert was delivered.
  void SetDelivered(const std::string& alert_id) {
    const std::lock_guard lock(mutex_);
    alerts_[alert_id].delivered = true;
  }

  // A worker has claimed an attempt whose text has this code.
  void SetAckCode(const std::string& recipient_token, const std::string& alert_id,
                  const std::string& code) {
    const std::lock_guard lock(mutex_);
    ack_codes_[recipient_token][alert_id] = code;
  }
  void FindAckCode(FindAckCodeRequest request,
                   std::function<void(Result<AckCodeMatches>)> done) override {
    done(DecideAckCode(request));
  }

  void Admit(AdmitRequest request, std::function<void(Result<Admission>)> done) override {
    done(Decide(request));
  }

  void Confirm(const std::string& alert_id, const records::v1::Position& position,
               std::function<void()> done) override {
    if (hold_confirmations) return confirmations.push_back({alert_id, position, std::move(done)});
    if (const std::lock_guard lock(mutex_); !down_) {
      alerts_[alert_id].confirmed = true;
      alerts_[alert_id].position = position;
    }
    done();
  }
  // Pending confirmations. One thread at a time.
  struct Confirmation {
    std::string alert_id;
    records::v1::Position position;
    std::function<void()> done;
  };
  bool hold_confirmations = false;
  std::vector<Confirmation> confirmations;

  void Withdraw(const std::string& alert_id, const std::string& idempotency_digest,
                const std::string& nonce) override {
    const std::lock_guard lock(mutex_);
    const auto found = alerts_.find(alert_id);
    if (down_ || found == alerts_.end()) return;
    const Alert& alert = found->second;
    if (alert.confirmed || alert.repeated || alert.claimed || alert.request.nonce != nonce) return;
    alerts_.erase(found);
    if (const auto key = keys_.find(idempotency_digest);
        key != keys_.end() && key->second == alert_id)
      keys_.erase(key);
  }

  void Mark(MarkRequest request, std::function<void(Result<MarkResult>)> done) override {
    done(DecideMark(std::move(request)));
  }

  Result<StoreEpoch> AdoptEpoch() override {
    const std::lock_guard lock(mutex_);
    ++adoptions;
    if (down_) return Down();
    return StoreEpoch{.id = "epoch", .restored = restored_};
  }
  std::atomic<int> adoptions = 0;        // calls of AdoptEpoch()
  std::atomic<int> failing_batches = 0;  // so many calls of Restore() fail next
  Status Restore(const StoreEpoch&, std::span<const AcceptedAlert> alerts) override {
    const std::lock_guard lock(mutex_);
    if (down_) return Down();
    if (failing_batches > 0) {
      --failing_batches;
      return Down();
    }
    for (const AcceptedAlert& alert : alerts) RestoreAlert(alert);
    return {};
  }
  Status MarkRestored(const StoreEpoch&) override {
    const std::lock_guard lock(mutex_);
    if (down_) return Down();
    restored_ = true;
    return {};
  }

 private:
  struct Alert {
    AdmitRequest request;  // without a nonce if it was restored
    records::v1::Position position;
    bool confirmed = false;
    bool repeated = false;
    bool claimed = false;
    bool delivered = false;
    std::map<MarkRequest::Mark, MarkRequest> marks;
    std::map<std::string, MarkRequest> acknowledgements;  // by actor, before the first claim
  };

  static tl::unexpected<Error> Down() {
    return Fail(ErrorCode::kRedisUnavailable, "the store does not respond");
  }

  void RestoreAlert(const AcceptedAlert& accepted) {
    Alert& alert = alerts_[accepted.alert_id];
    alert.confirmed = true;
    if (!alert.request.alert_id.empty()) return;
    alert.request = {.alert_id = accepted.alert_id,
                     .client_id = accepted.client_id,
                     .idempotency_digest = accepted.idempotency_digest,
                     .request_digest = accepted.request_digest,
                     .nonce = {},
                     .create_time = accepted.create_time,
                     .expire_time = accepted.expire_time};
    alert.position = accepted.position;
    if (accepted.idempotency_digest.empty()) return;
    std::string& holder =
        keys_.try_emplace(accepted.idempotency_digest, accepted.alert_id).first->second;
    const Alert& other = alerts_[holder];
    if (!other.claimed && other.request.nonce.empty() &&
        other.request.create_time > accepted.create_time)
      holder = accepted.alert_id;
  }

  Result<AckCodeMatches> DecideAckCode(const FindAckCodeRequest& request) {
    const std::lock_guard lock(mutex_);
    if (down_) return Down();
    if (!restored_) return Fail(RestoringAcceptances());
    AckCodeMatches matches;
    for (const auto& [alert_id, code] : ack_codes_[request.recipient_token]) {
      const auto& marks = alerts_[alert_id].marks;
      const auto mark = marks.find(MarkRequest::Mark::kAcknowledged);
      const bool acknowledged = mark != marks.end();
      const bool repeated = acknowledged && mark->second.evidence == request.evidence;
      if (marks.empty()) ++matches.waiting;
      if (request.code.empty() ? marks.empty() || repeated : request.code == code)
        matches.alerts.push_back(
            {.alert_id = alert_id, .step = 1, .acknowledged = acknowledged, .repeated = repeated});
    }
    return matches;
  }

  Result<MarkResult> DecideMark(MarkRequest request) {
    const std::lock_guard lock(mutex_);
    if (down_) return Down();
    if (request.issued_until && !alerts_.contains(request.alert_id)) {
      AdmitRequest& stored = alerts_[request.alert_id].request;
      stored.alert_id = request.alert_id;
      stored.client_id = request.client_id;
    }
    const auto found = alerts_.find(request.alert_id);
    if (found == alerts_.end() && !restored_) return Fail(RestoringAcceptances());
    if (found == alerts_.end() ||
        (!request.client_id.empty() && found->second.request.client_id != request.client_id))
      return Fail(ErrorCode::kNotFound, "no such alert", "alert_id");
    Alert& alert = found->second;
    const MarkRequest::Mark mark = request.mark;
    if (request.unless_cancelled && alert.marks.contains(MarkRequest::Mark::kCancelled) &&
        !alert.marks.contains(mark))
      return MarkResult{.client_id = alert.request.client_id,
                        .cancelled = true,
                        .post_in_progress = alert.claimed,
                        .delivered = alert.delivered};
    const auto [of_alert, first] = alert.marks.try_emplace(mark, request);
    const bool of_actor =
        mark == MarkRequest::Mark::kAcknowledged && !alert.claimed && !request.actor_id.empty();
    const MarkRequest& stored =
        of_actor
            ? alert.acknowledgements.try_emplace(request.actor_id, std::move(request)).first->second
            : of_alert->second;
    const auto acknowledged = alert.marks.find(MarkRequest::Mark::kAcknowledged);
    return MarkResult{.newly_marked = first,
                      .time = stored.time,
                      .method = stored.method,
                      .actor_id = stored.actor_id,
                      .step = stored.step,
                      .evidence = stored.evidence,
                      .client_id = alert.request.client_id,
                      .post_in_progress = alert.claimed,
                      .acknowledged_before = mark == MarkRequest::Mark::kCancelled &&
                                             acknowledged != alert.marks.end() &&
                                             acknowledged->second.time <= stored.time,
                      .delivered = alert.delivered,
                      .may_be_emergency = alert.request.emergency || alert.request.nonce.empty(),
                      .create_time = alert.request.create_time,
                      .results = {}};
  }

  Result<Admission> Decide(const AdmitRequest& request) {
    using State = Admission::State;
    const std::lock_guard lock(mutex_);
    if (down_) return Down();
    if (!request.idempotency_digest.empty() && !restored_) return Fail(RestoringAcceptances());
    const auto key = keys_.find(request.idempotency_digest);
    if (!request.idempotency_digest.empty() && key != keys_.end()) {
      Alert& first = alerts_[key->second];
      Admission admission{.alert_id = key->second,
                          .create_time = first.request.create_time,
                          .position = first.position};
      if (first.request.request_digest != request.request_digest) {
        admission.state = State::kConflict;
      } else if (first.confirmed) {
        admission.state = State::kReplay;
      } else {
        admission.state = State::kRepublish;
        if (!request.only_if_known) {
          first.request.nonce = request.nonce;
          first.repeated = true;
        }
      }
      return admission;
    }
    if (request.only_if_known) {
      Admission unknown;
      unknown.state = State::kUnknownKey;
      return unknown;
    }
    alerts_[request.alert_id].request = request;
    if (!request.idempotency_digest.empty()) keys_[request.idempotency_digest] = request.alert_id;
    return Admission{.state = State::kNew,
                     .alert_id = request.alert_id,
                     .create_time = request.create_time,
                     .position = {}};
  }

  std::mutex mutex_;
  bool down_ = false;
  bool restored_ = true;
  std::map<std::string, Alert> alerts_;
  std::map<std::string, std::string> keys_;
  std::map<std::string, std::map<std::string, std::string>> ack_codes_;  // by token and alert
};

}  // namespace tocsin
