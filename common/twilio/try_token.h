// The token in callback URLs: which try a callback tells of, and where its work record stands.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/ports/vault.h"
#include "tocsin/v1/types.pb.h"

namespace tocsin::twilio {

// The record's topic is the lane of channel and class; it is not written out. Nothing in it is PII.
struct TryTokenContent {
  v1::TryName name;
  v1::Channel channel = v1::CHANNEL_UNSPECIFIED;
  v1::AlertClass alert_class = v1::ALERT_CLASS_UNSPECIFIED;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  WallTime time;  // when the URL was made; whole seconds
};

constexpr size_t kTryTokenChars = 90;  // always: base64url of 67 bytes

// Under the vault's newest callback key. kInvalidArgument when the alert's id is no UUID.
Result<std::string> MakeTryToken(Vault& vault, const TryTokenContent& content);

// kInvalidArgument for what is no token, kPermissionDenied for one this installation did not make.
Result<TryTokenContent> ParseTryToken(Vault& vault, std::string_view token);

}  // namespace tocsin::twilio
