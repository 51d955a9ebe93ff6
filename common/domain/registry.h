// Configuration data: who may send, from which senders, through which accounts. It reaches code
// only as an immutable snapshot that is swapped whole.
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
  std::string prefix;      // the key's first 8 characters, to find it
  std::string sha256_hex;  // of the whole key
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
  std::set<v1::AlertClass> classes;  // empty: all but those that have a sender of their own
  double segments_per_second = 1;    // the carrier's rate; Tocsin keeps to 80 % of it
  double calls_per_second = 1;       // of the whole account, as above
};

struct Route {
  std::string pattern;  // RE2 over the E.164 number, unanchored
  int priority = 0;     // lower is asked first
  std::string account_sid;
};

enum class ChannelMode { kDisabled, kSimulation, kLive };

// Immutable once built; safe to share between threads. Small: look-ups are linear in what a person
// wrote, but for API keys.
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

  // Fails with kInvalidConfig, naming the first entry that does not fit the others (a sender of an
  // unknown account, a pattern RE2 refuses, a repeated id).
  static Result<std::shared_ptr<const RegistrySnapshot>> Build(Content content);
  ~RegistrySnapshot();

  // The client whose key this is, when that key has `scope`. kUnauthenticated for an unknown key,
  // kPermissionDenied for a missing scope. Constant time in the key's content.
  Result<std::string> Authenticate(std::string_view api_key, Scope scope) const;

  const Account* FindAccount(std::string_view sid) const;
  const Sender* FindSender(std::string_view id) const;
  ChannelMode ModeOf(v1::Channel channel) const;

  // The sender for a number: the route's account, a sender there that serves channel and class; the
  // one asked for when `wanted` names one that fits. kNoRoute when there is none; the message names
  // what is missing.
  Result<const Sender*> SenderFor(std::string_view e164, v1::Channel channel,
                                  v1::AlertClass alert_class, std::string_view wanted) const;

  const Content& All() const { return content_; }

 private:
  struct Compiled;
  explicit RegistrySnapshot(Content content);

  Content content_;
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace tocsin
