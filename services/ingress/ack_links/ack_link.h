// The link in the text of a message by which its recipient acknowledges the alert.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/ports/vault.h"
#include "services/ingress/ack_links/ack_token.h"
#include "tocsin/v1/types.pb.h"

namespace tocsin::ingress {

// Replaced by the link at admission.
constexpr std::string_view kAckPlaceholder = "{ack_link}";

// The path of a link, before its token.
constexpr std::string_view kAckPath = "/ack/";

// Only a text message has the placeholder, and only once. The error does not repeat the text.
Status CheckAckPlaceholder(std::string_view text, v1::Channel channel);

// The text with a link that is not valid, in place of one that is not made yet: it has the same
// length and the same number of segments.
std::string TextWithAnyAckLink(std::string_view text, std::string_view public_base_url);

// The text as it is sent; unchanged without the placeholder. Fails as MakeAckToken() does.
Result<std::string> TextWithAckLink(std::string_view text, std::string_view public_base_url,
                                    Vault& vault, const AckTokenContent& content);

}  // namespace tocsin::ingress
