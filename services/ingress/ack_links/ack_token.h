// The token of an acknowledgement link: names an alert and proves that Tocsin made the link.
//
// The MAC covers alert, step and expire time. A step of an alert has one recipient, so the token
// also stands for the recipient. It does not cover the recipient's token, because that is known
// only to the store, and a link must be checked without it
// (docs/decisions/0025-acknowledgement-links.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/ports/vault.h"

namespace tocsin::ingress {

// Free of PII.
struct AckTokenContent {
  std::string alert_id;
  std::int32_t step = 0;  // 1 to 255
  WallTime expire_time;   // of the alert; whole seconds, rounded down
};

constexpr std::size_t kAckTokenChars = 51;  // always: base64url of 38 bytes

// Signed under the vault's newest key. Fails with kInvalidArgument if the alert_id is not a UUID,
// or if another part is out of its range.
Result<std::string> MakeAckToken(Vault& vault, const AckTokenContent& content);

// Whether it has expired is not checked. Fails with kInvalidArgument if `token` is malformed,
// kPermissionDenied if its MAC is not valid.
Result<AckTokenContent> ParseAckToken(Vault& vault, std::string_view token);

// The SHA-256 of the token: proves later which link was used, and is not a link itself.
std::string EvidenceOf(std::string_view token);

}  // namespace tocsin::ingress
