#include "common/twilio/twiml/message_twiml.h"

#include <algorithm>
#include <array>

#include "common/twilio/twiml/twiml.h"

namespace tocsin::twilio {
namespace {

struct Responses {
  std::string_view language_code;
  std::string_view acknowledged;
  std::string_view already_acknowledged;
  std::string_view several;
  std::string_view unknown_code;
};

constexpr auto kResponses = std::to_array<Responses>({
    {"en", "Thank you. The alert is acknowledged.", "This alert is already acknowledged.",
     "You have several alerts. Reply with YES and the code of the message, such as YES 1234.",
     "You have no alert with this code."},
    {"fr", "Merci. L'alerte est confirmée.", "Cette alerte est déjà confirmée.",
     "Vous avez plusieurs alertes. Répondez OUI et le code du message, par exemple OUI 1234.",
     "Vous n'avez pas d'alerte avec ce code."},
    {"de", "Danke. Die Meldung ist bestätigt.", "Diese Meldung ist schon bestätigt.",
     "Sie haben mehrere Meldungen. Antworten Sie mit JA und dem Code der Nachricht, etwa JA 1234.",
     "Sie haben keine Meldung mit diesem Code."},
    {"es", "Gracias. La alerta está confirmada.", "Esta alerta ya está confirmada.",
     "Tiene varias alertas. Responda SÍ y el código del mensaje, por ejemplo SÍ 1234.",
     "No tiene ninguna alerta con ese código."},
});

const Responses& ResponsesFor(std::string_view language_code) {
  const auto* found = std::ranges::find(kResponses, language_code, &Responses::language_code);
  return found == kResponses.end() ? kResponses[0] : *found;
}

std::string_view ResponseTo(std::string_view language_code, AckReplyResult result) {
  const Responses& responses = ResponsesFor(language_code);
  switch (result) {
    case AckReplyResult::kAcknowledged: return responses.acknowledged;
    case AckReplyResult::kAlreadyAcknowledged: return responses.already_acknowledged;
    case AckReplyResult::kSeveral: return responses.several;
    case AckReplyResult::kUnknownCode: return responses.unknown_code;
    case AckReplyResult::kNoAlert: return {};
  }
  return {};
}

}  // namespace

std::string AckReplyTwiml(std::string_view language_code, AckReplyResult result) {
  const std::string_view response = ResponseTo(language_code, result);
  if (response.empty()) return "<Response/>";
  return "<Response><Message>" + EscapeXml(response) + "</Message></Response>";
}

}  // namespace tocsin::twilio
