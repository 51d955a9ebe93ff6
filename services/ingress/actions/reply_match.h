// Which alert a reply means (pure).
#pragma once

#include <optional>
#include <string_view>

#include "common/domain/message/ack_reply.h"
#include "common/ports/admissions.h"

namespace tocsin::ingress {

struct ReplyMatch {
  std::optional<AckCodeMatches::Alert> alert;  // to be marked; nothing if the reply has no effect
  // The result if no alert is marked, also because it has been cancelled meanwhile.
  AckReplyResult otherwise = AckReplyResult::kNoAlert;
};

// `code`: of the reply; empty without one. A reply that was processed before means the same alert
// again. With a code the newest alert is meant, those that wait before those that the person has
// declined before those that are acknowledged. Without a code it is the only alert that waits; if
// none waits, a reply that acknowledges means the only alert that was declined, and one that
// declines is repeated. A reply that declines has no effect on an alert that is acknowledged.
ReplyMatch MatchReply(AckReplyKind kind, std::string_view code, const AckCodeMatches& matches);

}  // namespace tocsin::ingress
