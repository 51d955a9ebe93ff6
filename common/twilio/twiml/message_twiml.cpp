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
  std::string_view declined;
  std::string_view recorded;
  std::string_view several;
  std::string_view several_to_decline;
  std::string_view unknown_code;
};

constexpr auto kResponses = std::to_array<Responses>({
    {.language_code = "en",
     .acknowledged = "Thank you. The alert is acknowledged.",
     .already_acknowledged = "This alert is already acknowledged.",
     .declined = "Thank you. You declined. You will not be contacted again for this alert.",
     .recorded = "Thank you. Your reply is recorded.",
     .several = "You have several alerts. Reply with YES and the code of the message, such as YES "
                "1234.",
     .several_to_decline = "You have several alerts. Reply with NO and the code of the message, "
                           "such as NO 1234.",
     .unknown_code = "You have no alert with this code."},
    {.language_code = "fr",
     .acknowledged = "Merci. L'alerte est confirmée.",
     .already_acknowledged = "Cette alerte est déjà confirmée.",
     .declined = "Merci. Vous avez refusé. Vous ne serez plus contacté pour cette alerte.",
     .recorded = "Merci. Votre réponse est enregistrée.",
     .several = "Vous avez plusieurs alertes. Répondez OUI et le code du message, par exemple OUI "
                "1234.",
     .several_to_decline = "Vous avez plusieurs alertes. Répondez NON et le code du message, par "
                           "exemple NON 1234.",
     .unknown_code = "Vous n'avez pas d'alerte avec ce code."},
    {.language_code = "de",
     .acknowledged = "Danke. Die Meldung ist bestätigt.",
     .already_acknowledged = "Diese Meldung ist schon bestätigt.",
     .declined = "Danke. Sie haben abgelehnt. Zu dieser Meldung werden Sie nicht mehr "
                 "kontaktiert.",
     .recorded = "Danke. Ihre Antwort ist erfasst.",
     .several = "Sie haben mehrere Meldungen. Antworten Sie mit JA und dem Code der Nachricht, "
                "etwa JA 1234.",
     .several_to_decline = "Sie haben mehrere Meldungen. Antworten Sie mit NEIN und dem Code der "
                           "Nachricht, etwa NEIN 1234.",
     .unknown_code = "Sie haben keine Meldung mit diesem Code."},
    {.language_code = "es",
     .acknowledged = "Gracias. La alerta está confirmada.",
     .already_acknowledged = "Esta alerta ya está confirmada.",
     .declined = "Gracias. Ha rechazado la alerta. No se le contactará más por ella.",
     .recorded = "Gracias. Su respuesta está registrada.",
     .several = "Tiene varias alertas. Responda SÍ y el código del mensaje, por ejemplo SÍ 1234.",
     .several_to_decline = "Tiene varias alertas. Responda NO y el código del mensaje, por ejemplo "
                           "NO 1234.",
     .unknown_code = "No tiene ninguna alerta con ese código."},
});

const Responses& ResponsesFor(std::string_view language_code) {
  const auto* found = std::ranges::find(kResponses, language_code, &Responses::language_code);
  return found == kResponses.end() ? kResponses[0] : *found;
}

std::string_view ResponseTo(std::string_view language_code, AckReplyKind kind,
                            AckReplyResult result) {
  const Responses& responses = ResponsesFor(language_code);
  switch (result) {
    case AckReplyResult::kAcknowledged: return responses.acknowledged;
    case AckReplyResult::kAlreadyAcknowledged: return responses.already_acknowledged;
    case AckReplyResult::kSeveral:
      return kind == AckReplyKind::kDecline ? responses.several_to_decline : responses.several;
    case AckReplyResult::kUnknownCode: return responses.unknown_code;
    case AckReplyResult::kDeclined: return responses.declined;
    case AckReplyResult::kRecorded: return responses.recorded;
    case AckReplyResult::kNoAlert: return {};
  }
  return {};
}

}  // namespace

std::string AckReplyTwiml(std::string_view language_code, AckReplyKind kind,
                          AckReplyResult result) {
  const std::string_view response = ResponseTo(language_code, kind, result);
  if (response.empty()) return "<Response/>";
  return "<Response><Message>" + EscapeXml(response) + "</Message></Response>";
}

}  // namespace tocsin::twilio
