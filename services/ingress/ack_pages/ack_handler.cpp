#include "services/ingress/ack_pages/ack_handler.h"

#include <memory>
#include <utility>

#include "services/ingress/ack_links/ack_text.h"
#include "services/ingress/ack_links/ack_token.h"

namespace tocsin::ingress {
namespace {

// An alert that the store does not know exists nevertheless, because its link is valid: the store
// may not have it back yet. So every error can be retried.
AckLinkResult ResultOf(const Result<AckOutcome>& outcome) {
  if (!outcome) return AckLinkResult::kUnavailable;
  switch (*outcome) {
    case AckOutcome::kAcknowledged: return AckLinkResult::kAcknowledged;
    case AckOutcome::kAlreadyAcknowledged: return AckLinkResult::kAlreadyAcknowledged;
    case AckOutcome::kCancelled: return AckLinkResult::kCancelled;
  }
  return AckLinkResult::kUnavailable;
}

}  // namespace

bool AckHandler::Serves(std::string_view path) { return path.starts_with(kAckPath); }

void AckHandler::Handle(const http::Request& request, http::Responder responder) {
  if (request.method != "GET" && request.method != "POST")
    return Respond(AckLinkResult::kWrongMethod, responder);
  const std::string_view token = request.Path().substr(kAckPath.size());
  const auto content = ParseAckToken(parts_.vault, token);
  if (!content) return Respond(AckLinkResult::kInvalidToken, responder);
  if (parts_.clock.Now() > content->expire_time) return Respond(AckLinkResult::kExpired, responder);
  if (request.method == "GET") return Respond(AckLinkResult::kShown, responder);
  Acknowledge({.alert_id = content->alert_id, .step = content->step, .evidence = EvidenceOf(token)},
              std::move(responder));
}

void AckHandler::Acknowledge(const AckProof& proof, http::Responder responder) {
  const TraceContext trace = TraceContext::New();
  parts_.alert_actions.AcknowledgeByLink(
      proof, trace.Text(),
      [this, alert_id = proof.alert_id, trace, start = std::chrono::steady_clock::now(),
       kept = std::make_shared<http::Responder>(std::move(responder))](
          const Result<AckOutcome>& outcome) {
        const AckLinkResult result = ResultOf(outcome);
        observer_.finished(
            {alert_id, result, trace,
             std::chrono::duration_cast<Micros>(std::chrono::steady_clock::now() - start)});
        Respond(result, *kept);
      });
}

void AckHandler::Respond(AckLinkResult result, http::Responder& responder) {
  observer_.result(result);
  responder.Send(AckPage(result));
}

}  // namespace tocsin::ingress
