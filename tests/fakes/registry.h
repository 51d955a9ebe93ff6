// A small registry for tests.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "common/base/digest.h"
#include "common/base/encoding.h"
#include "common/domain/registry/registry.h"

namespace tocsin {

inline const std::string kTestAccount = "AC00000000000000000000000000000001";
inline const std::string kTestKey = "tk_test_0123456789abcdef";  // scopes send and status

inline RegistrySnapshot::Content TestRegistry() {
  return {.clients = {{"demo",
                       {{kTestKey.substr(0, 8),
                         HexEncode(Sha256(kTestKey)),
                         {Scope::kSend, Scope::kStatus}}}}},
          .accounts = {{kTestAccount, Secret("token-of-the-account"), Secret()}},
          .senders = {{.id = "main",
                       .number = "+15017122661",
                       .messaging_service_sid = {},
                       .account_sid = kTestAccount,
                       .channels = {v1::CHANNEL_SMS},
                       .priorities = {},
                       .segments_per_second = 100},
                      {.id = "urgent",
                       .number = "+15017122662",
                       .messaging_service_sid = {},
                       .account_sid = kTestAccount,
                       .channels = {v1::CHANNEL_SMS},
                       .priorities = {v1::PRIORITY_EMERGENCY},
                       .segments_per_second = 100}},
          .routes = {{"^\\+", 1, kTestAccount}},
          .sms = ChannelMode::kLive};
}

inline std::shared_ptr<const RegistrySnapshot> Built(RegistrySnapshot::Content content) {
  auto snapshot = RegistrySnapshot::Build(std::move(content));
  if (!snapshot) std::abort();
  return *snapshot;
}

}  // namespace tocsin
