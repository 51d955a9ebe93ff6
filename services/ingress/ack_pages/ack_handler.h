// The requests of recipients for their acknowledgement links.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/time.h"
#include "common/base/trace.h"
#include "common/http/server.h"
#include "common/ports/clock.h"
#include "common/ports/vault.h"
#include "services/ingress/ack_pages/ack_page.h"
#include "services/ingress/actions/alert_actions.h"

namespace tocsin::ingress {

// A request with a valid token that was to acknowledge its alert.
struct FinishedAcknowledgement {
  std::string alert_id;
  AckLinkResult result;
  TraceContext trace;
  Micros duration{};
};

// For metrics, spans and the log. Called on any thread; must not block.
struct AckLinkObserver {
  std::function<void(AckLinkResult result)> result = [](AckLinkResult) {};  // of every request
  std::function<void(const FinishedAcknowledgement& finished)> finished =
      [](const FinishedAcknowledgement&) {};
};

// GET and HEAD show the page and have no side effect, because messengers and scanners open links by
// themselves. POST acknowledges the alert. The token is the only permission; it is in no log,
// metric or span. Never blocks. Safe to use from several threads; the parts must outlive every
// response.
class AckHandler {
 public:
  struct Parts {
    const Clock& clock;
    Vault& vault;
    AlertActions& alert_actions;
  };

  AckHandler(Parts parts, AckLinkObserver observer)
      : parts_(parts), observer_(std::move(observer)) {}

  // Whether requests for this path are handled here.
  static bool Serves(std::string_view path);

  // Responds once; to a POST after the event is on disk.
  void Handle(const http::Request& request, http::Responder responder);

 private:
  void Acknowledge(const AckProof& proof, http::Responder responder);
  void Respond(AckLinkResult result, http::Responder& responder);

  const Parts parts_;
  const AckLinkObserver observer_;
};

}  // namespace tocsin::ingress
