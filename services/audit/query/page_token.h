// Page tokens: the cursor of a list, authenticated, so that clients can return but not make or
// change it.
#pragma once

#include <string>
#include <string_view>

#include "common/ports/vault.h"

namespace tocsin::audit {

// `scope` identifies the caller and the filter: the token is valid for no other list. `cursor` is
// not encrypted: it contains nothing that the caller may not know. The token is base64url.
std::string MakePageToken(Vault& vault, std::string_view scope, std::string_view cursor);

// Returns the cursor. Fails with InvalidPageToken() if the token was changed or belongs to another
// list.
Result<std::string> OpenPageToken(Vault& vault, std::string_view scope, std::string_view token);

Error InvalidPageToken();

}  // namespace tocsin::audit
