// The registry: clients, Twilio accounts, senders and routes. Used only as an immutable snapshot
// that is replaced as a whole.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/base/time.h"
#include "tocsin/v1/types.pb.h"

namespace tocsin {

enum class Scope { kSend, kStatus, kAdmin, kReveal };

struct ApiKey {
  std::string prefix;      // the first 8 characters of the key, to find it
  std::string sha256_hex;  // SHA-256 of the whole key
  std::set<Scope> scopes;
};

struct Client {
  std::string id;
  std::vector<ApiKey> api_keys;
};

struct Account {
  std::string sid;              // "AC" and 32 hex digits
  Secret auth_token;            // signs webhooks; Basic authentication unless an API key is given
  Secret secondary_auth_token;  // empty outside a rotation
};

struct Sender {
  std::string id;
  std::string number;                 // E.164; empty with a messaging service
  std::string messaging_service_sid;  // "MG…"; empty with a number
  std::string account_sid;
  std::set<v1::Channel> channels;
  std::set<v1::Priority> priorities;  // empty: all but those that have a sender of their own
  double segments_per_second = 1;     // the provider's rate limit; Tocsin uses 80 % of it
  double calls_per_second = 1;        // of the whole account; Tocsin uses 80 % of it
};

struct Route {
  std::string pattern;  // RE2 over the E.164 number, unanchored
  int priority = 0;     // lower is evaluated first
  std::string account_sid;
};

enum class ChannelMode { kDisabled, kLive };

// Immutable; safe to share between threads. API keys are found by hash; other lookups are linear.
class RegistrySnapshot {
 public:
  struct Content {
    std::vector<Client> clients;
    std::vector<Account> accounts;
    std::vector<Sender> senders;
    std::vector<Route> routes;
    ChannelMode sms = ChannelMode::kDisabled;
    ChannelMode voice = ChannelMode::kDisabled;
  };

  // Fails with kInvalidConfig and the first inconsistent entry: a sender of an unknown account, an
  // invalid RE2 pattern, a duplicate id.
  static Result<std::shared_ptr<const RegistrySnapshot>> Build(Content content);
  ~RegistrySnapshot();

  // The client that owns the key, if the key has `scope`. Fails with kUnauthenticated for an
  // unknown key and kPermissionDenied for a missing scope, which the message names. Constant time
  // in the content of the key.
  Result<std::string> Authenticate(std::string_view api_key, Scope scope) const;

  const Account* FindAccount(std::string_view sid) const;
  const Sender* FindSender(std::string_view id) const;
  ChannelMode ModeOf(v1::Channel channel) const;
  const std::vector<std::string>& Regions() const;  // CLDR; of the senders' numbers

  // The sender for a number: a sender of the route's account that serves channel and priority.
  // `wanted`: use the sender with this id; it must serve channel and priority too (field
  // sender_id). Fails with kNoRoute; the message names what is missing.
  Result<const Sender*> SenderFor(std::string_view e164, v1::Channel channel, v1::Priority priority,
                                  std::string_view wanted) const;

  const Content& All() const { return content_; }

 private:
  struct Compiled;
  explicit RegistrySnapshot(Content content);

  Content content_;
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace tocsin
