// Admissions and AcceptanceRestorer in memory. Calls back on the caller's thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
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
                  const std::string& code, std::int32_t step = 1) {
    const std::lock_guard lock(mutex_);
    ack_codes_[recipient_token][alert_id] = {code, step};
  }
  // A worker has claimed a target of the alert's plan, whose goal are acknowledgements by so many
  // persons.
  void SetTarget(const std::string& alert_id, std::int32_t step, const std::string& person,
                 const std::string& work, int person_count = 1) {
    const std::lock_guard lock(mutex_);
    Alert& alert = alerts_[alert_id];
    alert.claimed = true;
    alert.targets[step] = {person, work};
    alert.person_count = person_count;
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
  struct Target {
    std::string person;
    std::string work;
  };
  struct Alert {
    AdmitRequest request;  // without a nonce if it was restored
    records::v1::Position position;
    bool confirmed = false;
    bool repeated = false;
    bool claimed = false;
    bool delivered = false;
    std::map<std::int32_t, Target> targets;  // of its plan, that were claimed
    int person_count = 0;                    // of its plan
    // Also by person; without one: of the alert.
    std::map<std::pair<MarkRequest::Mark, std::string>, MarkRequest> marks;

    bool Has(MarkRequest::Mark mark, const std::string& person = {}) const {
      return marks.contains({mark, person});
    }
    std::optional<StoredAcknowledgement> AcknowledgedBeforeCancelled() const {
      const auto cancelled = marks.find({MarkRequest::Mark::kCancelled, {}});
      const auto acknowledged = marks.find({MarkRequest::Mark::kAcknowledged, {}});
      if (cancelled == marks.end() || acknowledged == marks.end() ||
          acknowledged->second.time > cancelled->second.time)
        return std::nullopt;
      const MarkRequest& mark = acknowledged->second;
      return StoredAcknowledgement{.time = mark.time,
                                   .mark = {.kind = KnownMark::Kind::kAcknowledged,
                                            .method = mark.method,
                                            .actor_id = mark.actor_id,
                                            .step = mark.step,
                                            .evidence = mark.evidence,
                                            .person = PersonOf(mark)}};
    }
    // The person whom the request means; empty without a plan, or if there are too many.
    std::string PersonOf(const MarkRequest& mark) const {
      if (mark.mark == MarkRequest::Mark::kCancelled) return {};
      std::string person = mark.person;
      if (const auto target = targets.find(mark.step); person.empty() && target != targets.end())
        person = target->second.person;
      if (person.empty() && !targets.empty()) person = mark.actor_id;
      return IsBeyondLimit(mark, person) ? std::string() : person;
    }
    bool IsBeyondLimit(const MarkRequest& mark, const std::string& person) const {
      return !mark.actor_id.empty() && !Has(MarkRequest::Mark::kAcknowledged, person) &&
             CountPersons() >= kMaxAcknowledgements;
    }
    std::ptrdiff_t CountPersons() const {
      return std::ranges::count_if(marks, [](const auto& mark) {
        return mark.first.first == MarkRequest::Mark::kAcknowledged && !mark.first.second.empty();
      });
    }
    // The work record of the last target of this person.
    std::string WorkOf(const std::string& person) const {
      std::string work;
      for (const auto& [step, target] : targets)
        if (target.person == person) work = target.work;
      return work;
    }
  };

  struct CodeOfAlert {
    std::string code;
    std::int32_t step = 1;
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
    using enum MarkRequest::Mark;
    for (const auto& [alert_id, code] : ack_codes_[request.recipient_token]) {
      const Alert& alert = alerts_[alert_id];
      const auto target = alert.targets.find(code.step);
      const std::string person =
          target == alert.targets.end() ? std::string() : target->second.person;
      AckCodeMatches::Alert match{.alert_id = alert_id, .step = code.step};
      match.acknowledged = alert.Has(kAcknowledged) || alert.Has(kAcknowledged, person);
      match.declined = !person.empty() && alert.Has(kDeclined, person);
      match.repeated = std::ranges::any_of(
          alert.marks, [&](const auto& mark) { return mark.second.evidence == request.evidence; });
      const bool cancelled = alert.Has(kCancelled);
      if (!match.acknowledged && !match.declined && !cancelled) ++matches.waiting;
      if (request.code.empty() ? !cancelled || match.repeated : request.code == code.code)
        matches.alerts.push_back(match);
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
    using enum MarkRequest::Mark;
    const MarkRequest::Mark mark = request.mark;
    const std::string person = alert.PersonOf(request);
    // Until the first claim the alert may have a plan, and each actor may be a person of it.
    const bool by_actor = mark == kAcknowledged && person.empty() && !request.actor_id.empty() &&
                          !alert.claimed && !alert.IsBeyondLimit(request, request.actor_id);
    const std::string& marked_person = by_actor ? request.actor_id : person;
    MarkResult result{.client_id = alert.request.client_id,
                      .person = marked_person,
                      .has_plan = !alert.targets.empty(),
                      .post_in_progress = alert.claimed,
                      .delivered = alert.delivered,
                      .work = mark == kDeclined ? alert.WorkOf(person) : std::string()};
    if (!alert.Has(mark, marked_person)) {
      result.acknowledged = request.unless_acknowledged &&
                            (alert.Has(kAcknowledged) || alert.Has(kAcknowledged, person));
      result.cancelled = request.unless_cancelled && alert.Has(kCancelled) && !result.acknowledged;
      result.acknowledged_before = alert.AcknowledgedBeforeCancelled();
      if (result.acknowledged || result.cancelled) return result;
    }
    auto [entry, first] = alert.marks.try_emplace({mark, person}, request);
    if (mark == kAcknowledged && !person.empty() && alert.CountPersons() >= alert.person_count)
      alert.marks.try_emplace({mark, {}}, request);
    if (by_actor) entry = alert.marks.try_emplace({mark, request.actor_id}, request).first;
    result.newly_marked = first;
    result.time = entry->second.time;
    result.method = entry->second.method;
    result.actor_id = entry->second.actor_id;
    result.step = entry->second.step;
    result.evidence = entry->second.evidence;
    result.acknowledged_before = alert.AcknowledgedBeforeCancelled();
    result.may_be_emergency = alert.request.emergency || alert.request.nonce.empty();
    result.create_time = alert.request.create_time;
    return result;
  }

  Result<Admission> Decide(const AdmitRequest& request) {
    using State = Admission::State;
    const std::lock_guard lock(mutex_);
    if (down_) return Down();
    if (!restored_) return Fail(RestoringAcceptances());
    const auto key = keys_.find(request.idempotency_digest);
    if (key != keys_.end()) {
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
    keys_[request.idempotency_digest] = request.alert_id;
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
  std::map<std::string, std::map<std::string, CodeOfAlert>> ack_codes_;  // by token and alert
};

}  // namespace tocsin
