// Where the next page of a list begins, in a form that callers can carry but not make or change.
#pragma once

#include <string>
#include <string_view>

#include "common/ports/vault.h"

namespace tocsin::audit {

// `bound_to` says who asks for what: a token made for one list opens for no other. `place` is
// carried in the clear, so it holds nothing that the caller may not know. Letters, digits, - and _.
std::string MakePageToken(Vault& vault, std::string_view bound_to, std::string_view place);

// The place. kInvalidArgument (page_token) when the token was changed, cut or made for another
// list.
Result<std::string> OpenPageToken(Vault& vault, std::string_view bound_to, std::string_view token);

}  // namespace tocsin::audit
