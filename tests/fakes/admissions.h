// The door, in memory. Answers on the caller's thread.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/ports/admissions.h"

namespace tocsin {

// Safe to use from several threads.
class FakeAdmissions final : public Admissions {
 public:
  void SetDown(bool down) {
    const std::lock_guard lock(mutex_);
    down_ = down;
  }
  // The store was flushed: all is gone, and every call fails.
  void LoseMemory() {
    const std::lock_guard lock(mutex_);
    alerts_.clear();
    keys_.clear();
    down_ = true;
  }
  // A worker has claimed a try of this alert.
  void SetTaken(const std::string& alert_id) {
    const std::lock_guard lock(mutex_);
    alerts_[alert_id].taken = true;
  }

  void Admit(AdmitRequest request, std::function<void(Result<Admission>)> answer) override {
    answer(Decide(request));
  }

  void Confirm(const std::string& alert_id, const v1::Position& position,
               std::function<void()> done) override {
    if (hold_confirmations) return confirmations.push_back({alert_id, position, std::move(done)});
    if (const std::lock_guard lock(mutex_); !down_) {
      alerts_[alert_id].accepted = true;
      alerts_[alert_id].position = position;
    }
    done();
  }
  // One thread at a time: confirmations that are on their way.
  struct Confirmation {
    std::string alert_id;
    v1::Position position;
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
    if (alert.accepted || alert.again || alert.taken || alert.request.nonce != nonce) return;
    alerts_.erase(found);
    if (const auto key = keys_.find(idempotency_digest);
        key != keys_.end() && key->second == alert_id)
      keys_.erase(key);
  }

  void Mark(MarkRequest request, std::function<void(Result<Marked>)> answer) override {
    answer(DecideMark(std::move(request)));
  }

 private:
  struct Alert {
    AdmitRequest request;
    v1::Position position;
    bool accepted = false;
    bool again = false;
    bool taken = false;
    std::map<MarkRequest::Mark, MarkRequest> marks;
  };

  Result<Marked> DecideMark(MarkRequest request) {
    const std::lock_guard lock(mutex_);
    if (down_) return Fail(ErrorCode::kRedisUnavailable, "the store does not answer");
    const auto found = alerts_.find(request.alert_id);
    if (found == alerts_.end() || found->second.request.client_id != request.client_id)
      return Fail(ErrorCode::kNotFound, "there is no alert " + request.alert_id);
    Alert& alert = found->second;
    const MarkRequest::Mark mark = request.mark;
    const auto [entry, first] = alert.marks.try_emplace(mark, std::move(request));
    return Marked{.first = first,
                  .time = entry->second.time,
                  .by = entry->second.by,
                  .posting = alert.taken,
                  .receipts = {}};
  }

  Result<Admission> Decide(const AdmitRequest& request) {
    using State = Admission::State;
    const std::lock_guard lock(mutex_);
    if (down_) return Fail(ErrorCode::kRedisUnavailable, "the store does not answer");
    const auto key = keys_.find(request.idempotency_digest);
    if (!request.idempotency_digest.empty() && key != keys_.end()) {
      Alert& first = alerts_[key->second];
      Admission admission{
          .alert_id = key->second, .accepted = first.request.accepted, .position = first.position};
      if (first.request.request_digest != request.request_digest) {
        admission.state = State::kConflict;
      } else if (first.accepted) {
        admission.state = State::kReplay;
      } else {
        admission.state = State::kAgain;
        if (!request.only_if_known) {
          first.request.nonce = request.nonce;
          first.again = true;
        }
      }
      return admission;
    }
    if (request.only_if_known) {
      Admission unknown;
      unknown.state = State::kUnknown;
      return unknown;
    }
    alerts_[request.alert_id].request = request;
    if (!request.idempotency_digest.empty()) keys_[request.idempotency_digest] = request.alert_id;
    return Admission{.state = State::kNew,
                     .alert_id = request.alert_id,
                     .accepted = request.accepted,
                     .position = {}};
  }

  std::mutex mutex_;
  bool down_ = false;
  std::map<std::string, Alert> alerts_;
  std::map<std::string, std::string> keys_;
};

}  // namespace tocsin
