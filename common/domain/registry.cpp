#include "common/domain/registry.h"

#include <re2/re2.h>

#include <algorithm>
#include <unordered_map>

#include "common/base/digest.h"
#include "common/base/encoding.h"

namespace tocsin {
namespace {

constexpr size_t kMaxKeyLength = 256;
constexpr size_t kPrefixLength = 8;
constexpr std::int64_t kRegexMemory = 1 << 20;  // a pattern is a user's: bounded

std::string_view NameOf(v1::Channel channel) {
  return channel == v1::CHANNEL_VOICE ? "voice" : "sms";
}

}  // namespace

struct RegistrySnapshot::Compiled {
  struct Key {
    std::string sha256;
    std::string client_id;
    std::set<Scope> scopes;
  };
  struct CompiledRoute {
    std::unique_ptr<RE2> pattern;
    std::string account_sid;
  };
  std::unordered_multimap<std::string, Key> keys;  // by prefix
  std::vector<CompiledRoute> routes;               // by priority
};

RegistrySnapshot::RegistrySnapshot(Content content)
    : content_(std::move(content)), compiled_(std::make_unique<Compiled>()) {}
RegistrySnapshot::~RegistrySnapshot() = default;

Result<std::shared_ptr<const RegistrySnapshot>> RegistrySnapshot::Build(Content content) {
  std::stable_sort(content.routes.begin(), content.routes.end(),
                   [](const Route& a, const Route& b) { return a.priority < b.priority; });
  const std::shared_ptr<RegistrySnapshot> snapshot(new RegistrySnapshot(std::move(content)));
  const auto invalid = [](std::string message, std::string field) {
    return Fail(ErrorCode::kInvalidConfig, std::move(message), std::move(field));
  };
  std::set<std::string> ids;
  for (const Client& client : snapshot->content_.clients) {
    if (!ids.insert("client " + client.id).second)
      return invalid("this client stands twice", client.id);
    for (const ApiKey& key : client.api_keys) {
      const auto sha256 = HexDecode(key.sha256_hex);
      if (!sha256 || sha256->size() != 32 || key.prefix.size() != kPrefixLength)
        return invalid("an API key needs a prefix of 8 characters and a sha256 of 64 hex digits",
                       client.id);
      snapshot->compiled_->keys.emplace(key.prefix, Compiled::Key{*sha256, client.id, key.scopes});
    }
  }
  for (const Account& account : snapshot->content_.accounts)
    if (!ids.insert("account " + account.sid).second)
      return invalid("this account stands twice", account.sid);
  for (const Sender& sender : snapshot->content_.senders) {
    if (!ids.insert("sender " + sender.id).second)
      return invalid("this sender stands twice", sender.id);
    if (snapshot->FindAccount(sender.account_sid) == nullptr)
      return invalid("its account is not among the accounts", sender.id);
    if (sender.number.empty() == sender.messaging_service_sid.empty())
      return invalid("a sender has either a number or a messaging service", sender.id);
    if (!(sender.segments_per_second > 0) || !(sender.calls_per_second > 0))
      return invalid("segments_per_second and calls_per_second must be above 0", sender.id);
    if (sender.channels.contains(v1::CHANNEL_VOICE) && sender.number.empty())
      return invalid("a sender for voice needs a number", sender.id);
  }
  for (const Route& route : snapshot->content_.routes) {
    if (snapshot->FindAccount(route.account_sid) == nullptr)
      return invalid("its account is not among the accounts", route.pattern);
    RE2::Options options(RE2::Quiet);
    options.set_max_mem(kRegexMemory);
    auto pattern = std::make_unique<RE2>(route.pattern, options);
    if (!pattern->ok()) return invalid("not a pattern of RE2: " + pattern->error(), route.pattern);
    snapshot->compiled_->routes.push_back({std::move(pattern), route.account_sid});
  }
  return std::shared_ptr<const RegistrySnapshot>(snapshot);
}

Result<std::string> RegistrySnapshot::Authenticate(std::string_view api_key, Scope scope) const {
  if (api_key.size() < kPrefixLength || api_key.size() > kMaxKeyLength)
    return Fail(ErrorCode::kUnauthenticated, "no such API key");
  const std::string digest = Sha256(api_key);
  const auto [begin, end] =
      compiled_->keys.equal_range(std::string(api_key.substr(0, kPrefixLength)));
  for (auto it = begin; it != end; ++it) {
    if (!ConstantTimeEqual(it->second.sha256, digest)) continue;
    if (!it->second.scopes.contains(scope))
      return Fail(ErrorCode::kPermissionDenied, "this API key lacks the scope for this call");
    return it->second.client_id;
  }
  return Fail(ErrorCode::kUnauthenticated, "no such API key");
}

const Account* RegistrySnapshot::FindAccount(std::string_view sid) const {
  const auto it = std::ranges::find(content_.accounts, sid, &Account::sid);
  return it == content_.accounts.end() ? nullptr : &*it;
}

const Sender* RegistrySnapshot::FindSender(std::string_view id) const {
  const auto it = std::ranges::find(content_.senders, id, &Sender::id);
  return it == content_.senders.end() ? nullptr : &*it;
}

ChannelMode RegistrySnapshot::ModeOf(v1::Channel channel) const {
  return channel == v1::CHANNEL_VOICE ? content_.voice : content_.sms;
}

Result<const Sender*> RegistrySnapshot::SenderFor(std::string_view e164, v1::Channel channel,
                                                  v1::AlertClass alert_class,
                                                  std::string_view wanted) const {
  const auto route =
      std::ranges::find_if(compiled_->routes, [&](const Compiled::CompiledRoute& candidate) {
        return RE2::PartialMatch(re2::StringPiece(e164.data(), e164.size()), *candidate.pattern);
      });
  if (route == compiled_->routes.end())
    return Fail(ErrorCode::kNoRoute, "no routing rule fits this number; add a route", "to");
  const Sender* general = nullptr;
  const Sender* dedicated = nullptr;
  for (const Sender& sender : content_.senders) {
    if (sender.account_sid != route->account_sid || !sender.channels.contains(channel)) continue;
    if (!wanted.empty()) {
      const bool fits = sender.classes.empty() || sender.classes.contains(alert_class);
      if (sender.id == wanted && fits) return &sender;
    } else if (sender.classes.empty()) {
      if (general == nullptr) general = &sender;
    } else if (sender.classes.contains(alert_class) && dedicated == nullptr) {
      dedicated = &sender;
    }
  }
  const Sender* chosen = dedicated != nullptr ? dedicated : general;
  if (chosen != nullptr) return chosen;
  if (!wanted.empty())
    return Fail(ErrorCode::kNoRoute,
                "no such sender for this channel and class at the account of the route", "sender");
  return Fail(ErrorCode::kNoRoute,
              "the route's account has no sender for " + std::string(NameOf(channel)) + "; add one",
              "to");
}

}  // namespace tocsin
