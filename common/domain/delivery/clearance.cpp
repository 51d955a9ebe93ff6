#include "common/domain/delivery/clearance.h"

#include <algorithm>

#include "common/domain/delivery/due_time.h"
#include "common/domain/plan/plan.h"

namespace tocsin {
records::v1::AttemptResult NotAttempted(v1::AttemptStatus status, ErrorCode reason, WallTime now) {
  records::v1::AttemptResult result;
  result.set_outcome(records::v1::ATTEMPT_OUTCOME_NOT_ATTEMPTED);
  result.set_status(status);
  result.set_reason(std::string(TraitsOf(reason).name));
  result.set_end_time_us(ToUnixMicros(now));
  return result;
}

namespace {

constexpr std::chrono::seconds kMaxValidity{36'000};  // Twilio's ValidityPeriod

// The goal of the plan can no longer be reached in time: its end follows.
bool IsAfterDeadline(const records::v1::WorkRecord& work, WallTime now) {
  const std::int64_t deadline_us = work.plan().goal().deadline_us();
  return deadline_us != 0 && now >= FromUnixMicros(deadline_us);
}

records::v1::AttemptResult GoalMissed(WallTime now) {
  records::v1::AttemptResult result =
      NotAttempted(v1::ATTEMPT_STATUS_CANCELLED, ErrorCode::kExpired, now);
  result.set_reason(std::string(kGoalMissedReason));
  return result;
}

}  // namespace

// The only friend of ClearedAttempt.
struct Clearing {
  static ClearedAttempt Go(const Sender& sender, const Account& account,
                           std::chrono::seconds validity) {
    return {sender, account, validity};
  }
};

Clearance Clear(const records::v1::WorkRecord& work, const RegistrySnapshot& registry,
                const ConsentBook& consents, WallTime now) {
  const auto left =
      std::chrono::floor<std::chrono::seconds>(FromUnixMicros(work.expire_time_us()) - now);
  if (left < std::chrono::seconds(1))
    return NotAttempted(v1::ATTEMPT_STATUS_EXPIRED, ErrorCode::kExpired, now);
  if (IsAfterDeadline(work, now)) return GoalMissed(now);
  if (registry.ModeOf(work.channel()) == ChannelMode::kDisabled)
    return NotAttempted(
        v1::ATTEMPT_STATUS_REJECTED,
        work.channel() == v1::CHANNEL_VOICE ? ErrorCode::kVoiceDisabled : ErrorCode::kSmsDisabled,
        now);
  const Sender* sender = registry.FindSender(work.sender_id());
  if (sender == nullptr) return NotAttempted(v1::ATTEMPT_STATUS_REJECTED, ErrorCode::kNoRoute, now);
  const Account* account = registry.FindAccount(sender->account_sid);
  if (account == nullptr || account->auth_token.empty())
    return NotAttempted(v1::ATTEMPT_STATUS_REJECTED, ErrorCode::kCredentialsMissing, now);
  if (consents.OptedOut(work.recipient().token(), ConsentName(*sender)))
    return NotAttempted(v1::ATTEMPT_STATUS_SUPPRESSED, ErrorCode::kOptedOut, now);
  const WallTime due = DueTime(work);
  if (due > now) return NotYet{due};
  return Clearing::Go(*sender, *account, std::min(left, kMaxValidity));
}

const std::string& ConsentName(const Sender& sender) {
  return sender.number.empty() ? sender.messaging_service_sid : sender.number;
}

}  // namespace tocsin
