// The link and the code in the text of a message by which its recipient acknowledges the alert.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/ports/vault.h"
#include "services/ingress/ack_links/ack_token.h"
#include "tocsin/v1/types.pb.h"

namespace tocsin::ingress {

// Replaced at admission: by the link, and by the code of a reply.
constexpr std::string_view kAckLinkPlaceholder = "{ack_link}";
constexpr std::string_view kAckCodePlaceholder = "{ack_code}";

// The path of a link, before its token.
constexpr std::string_view kAckPath = "/ack/";

// Only a text message has the placeholders, and each only once. The error does not repeat the text.
Status CheckAckPlaceholders(std::string_view text, v1::Channel channel);

// The text with a link and a code that are not valid, in place of those that are not made yet: it
// has the same length and the same number of segments.
std::string TextWithAnyAck(std::string_view text, std::string_view public_base_url);

// The text as it is sent; unchanged without a placeholder. Fails as MakeAckToken() does.
Result<std::string> TextWithAck(std::string_view text, std::string_view public_base_url,
                                Vault& vault, const AckTokenContent& content);

// The code in the text of the alert: four digits, a function of its id. Alerts of one person may
// have the same code; it is no secret. Empty if the text does not have the placeholder.
std::string AckCodeOf(std::string_view text, std::string_view alert_id);

}  // namespace tocsin::ingress
