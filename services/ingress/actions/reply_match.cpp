#include "services/ingress/actions/reply_match.h"

#include <algorithm>
#include <tuple>

namespace tocsin::ingress {
namespace {

using Alert = AckCodeMatches::Alert;

// The best one is the greatest.
auto Rank(const Alert& alert) {
  return std::tuple(alert.repeated, !alert.acknowledged, !alert.declined,
                    std::string_view(alert.alert_id));
}

bool IsDeclined(const Alert& alert) { return alert.declined && !alert.acknowledged; }

// Of a reply without a code: whether it does not name one of several alerts.
bool IsAmbiguous(AckReplyKind kind, const AckCodeMatches& matches) {
  if (matches.waiting != 0 || kind == AckReplyKind::kDecline) return matches.waiting > 1;
  return std::ranges::count_if(matches.alerts, IsDeclined) > 1;
}

}  // namespace

ReplyMatch MatchReply(AckReplyKind kind, std::string_view code, const AckCodeMatches& matches) {
  const bool unknown_code = !code.empty() && matches.waiting != 0;
  const AckReplyResult no_match =
      unknown_code ? AckReplyResult::kUnknownCode : AckReplyResult::kNoAlert;
  if (matches.alerts.empty()) return {.alert = {}, .otherwise = no_match};
  const Alert& best = *std::ranges::max_element(matches.alerts, {}, Rank);
  if (best.repeated) return {.alert = best, .otherwise = no_match};
  if (code.empty() && IsAmbiguous(kind, matches))
    return {.alert = {}, .otherwise = AckReplyResult::kSeveral};
  if (best.acknowledged && kind == AckReplyKind::kDecline)
    return {.alert = {}, .otherwise = AckReplyResult::kAlreadyAcknowledged};
  if (best.acknowledged && code.empty()) return {.alert = {}, .otherwise = no_match};
  return {.alert = best, .otherwise = no_match};
}

}  // namespace tocsin::ingress
