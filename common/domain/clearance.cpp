#include "common/domain/clearance.h"

#include <algorithm>

#include "common/domain/waiting.h"

namespace tocsin {
namespace {

constexpr std::chrono::seconds kMaxValidity{36'000};  // Twilio's ValidityPeriod

}  // namespace

v1::Receipt EndedBeforePost(v1::TryStatus status, ErrorCode reason, WallTime now) {
  v1::Receipt receipt;
  receipt.set_outcome(v1::RECEIPT_OUTCOME_ENDED);
  receipt.set_status(status);
  receipt.set_reason(std::string(TraitsOf(reason).name));
  receipt.set_ended_us(ToUnixMicros(now));
  return receipt;
}

// Holds the one place that may make a ClearedTry.
struct Clearing {
  static ClearedTry Go(const Sender& sender, const Account& account,
                       std::chrono::seconds validity) {
    return {sender, account, validity};
  }
};

Clearance Clear(const v1::WorkRecord& work, const RegistrySnapshot& registry,
                const ConsentBook& consents, WallTime now) {
  const auto left =
      std::chrono::floor<std::chrono::seconds>(FromUnixMicros(work.not_after_us()) - now);
  if (left < std::chrono::seconds(1))
    return EndedBeforePost(v1::TRY_STATUS_EXPIRED, ErrorCode::kExpired, now);
  if (registry.ModeOf(work.channel()) == ChannelMode::kDisabled)
    return EndedBeforePost(
        v1::TRY_STATUS_REJECTED,
        work.channel() == v1::CHANNEL_VOICE ? ErrorCode::kVoiceDisabled : ErrorCode::kSmsDisabled,
        now);
  const Sender* sender = registry.FindSender(work.sender());
  if (sender == nullptr) return EndedBeforePost(v1::TRY_STATUS_REJECTED, ErrorCode::kNoRoute, now);
  const Account* account = registry.FindAccount(sender->account_sid);
  if (account == nullptr || account->auth_token.empty())
    return EndedBeforePost(v1::TRY_STATUS_REJECTED, ErrorCode::kCredentialsMissing, now);
  if (consents.OptedOut(work.recipient().token(), ConsentName(*sender)))
    return EndedBeforePost(v1::TRY_STATUS_SUPPRESSED, ErrorCode::kOptedOut, now);
  const WallTime due = DueTime(work);
  if (due > now) return NotYet{due};
  return Clearing::Go(*sender, *account, std::min(left, kMaxValidity));
}

const std::string& ConsentName(const Sender& sender) {
  return sender.number.empty() ? sender.messaging_service_sid : sender.number;
}

}  // namespace tocsin
