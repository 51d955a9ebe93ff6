// The token in callback URLs: names the attempt of a callback and the position of its work record.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/ports/vault.h"
#include "tocsin/v1/types.pb.h"

namespace tocsin::twilio {

// Free of PII. The topic of the work record is the lane of channel and priority.
struct AttemptTokenContent {
  v1::AttemptRef attempt;
  v1::Channel channel = v1::CHANNEL_UNSPECIFIED;
  v1::Priority priority = v1::PRIORITY_UNSPECIFIED;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  WallTime time;  // when the token was made; whole seconds
};

constexpr size_t kAttemptTokenChars = 90;  // always: base64url of 67 bytes

// Signed with the vault's newest callback key. Fails with kInvalidArgument if the alert_id is not a
// UUID.
Result<std::string> MakeAttemptToken(Vault& vault, const AttemptTokenContent& content);

// Fails with kInvalidArgument if `token` is malformed, kPermissionDenied if its MAC is not valid.
Result<AttemptTokenContent> ParseAttemptToken(Vault& vault, std::string_view token);

}  // namespace tocsin::twilio
