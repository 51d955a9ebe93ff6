#include "common/domain/registry/registry.h"

#include <re2/re2.h>

#include <algorithm>
#include <unordered_map>

#include "common/base/digest.h"
#include "common/base/encoding.h"
#include "common/domain/message/phone.h"

namespace tocsin {
namespace {

constexpr size_t kMaxKeyLength = 256;
constexpr size_t kPrefixLength = 8;
constexpr std::int64_t kRegexMemory =
    1 << 20;  // bounds the memory of a pattern from the configuration

std::string_view NameOf(v1::Channel channel) {
  return channel == v1::CHANNEL_VOICE ? "voice" : "sms";
}

std::string_view NameOf(Scope scope) {
  switch (scope) {  // no default: -Wswitch reports a missing row
    case Scope::kSend: return "send";
    case Scope::kStatus: return "status";
    case Scope::kAdmin: return "admin";
    case Scope::kReveal: return "reveal";
  }
  return "unknown";
}

std::vector<std::string> RegionsOf(const std::vector<Sender>& senders) {
  std::set<std::string> regions;
  for (const Sender& sender : senders)
    if (const auto phone = Phone::Parse(sender.number); phone && phone->RegionCode() != "001")
      regions.insert(phone->RegionCode());
  return {regions.begin(), regions.end()};
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
  std::vector<std::string> regions;                // of the senders' numbers, unique
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
    if (!ids.insert("client " + client.id).second) return invalid("duplicate client", client.id);
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
      return invalid("duplicate account", account.sid);
  for (const Sender& sender : snapshot->content_.senders) {
    if (!ids.insert("sender " + sender.id).second) return invalid("duplicate sender", sender.id);
    if (snapshot->FindAccount(sender.account_sid) == nullptr)
      return invalid("unknown account", sender.id);
    if (sender.number.empty() == sender.messaging_service_sid.empty())
      return invalid("a sender needs either a number or a messaging service, not both", sender.id);
    if (!(sender.segments_per_second > 0) || !(sender.calls_per_second > 0))
      return invalid("segments_per_second and calls_per_second must be above 0", sender.id);
    if (sender.channels.contains(v1::CHANNEL_VOICE) && sender.number.empty())
      return invalid("a sender for voice needs a number", sender.id);
  }
  for (const Route& route : snapshot->content_.routes) {
    if (snapshot->FindAccount(route.account_sid) == nullptr)
      return invalid("unknown account", route.pattern);
    RE2::Options options(RE2::Quiet);
    options.set_max_mem(kRegexMemory);
    auto pattern = std::make_unique<RE2>(route.pattern, options);
    if (!pattern->ok()) return invalid("invalid RE2 pattern: " + pattern->error(), route.pattern);
    snapshot->compiled_->routes.push_back({std::move(pattern), route.account_sid});
  }
  snapshot->compiled_->regions = RegionsOf(snapshot->content_.senders);
  return std::shared_ptr<const RegistrySnapshot>(snapshot);
}

const std::vector<std::string>& RegistrySnapshot::Regions() const { return compiled_->regions; }

Result<std::string> RegistrySnapshot::Authenticate(std::string_view api_key, Scope scope) const {
  if (api_key.size() < kPrefixLength || api_key.size() > kMaxKeyLength)
    return Fail(ErrorCode::kUnauthenticated, "unknown API key");
  const std::string digest = Sha256(api_key);
  const auto [begin, end] =
      compiled_->keys.equal_range(std::string(api_key.substr(0, kPrefixLength)));
  for (auto it = begin; it != end; ++it) {
    if (!ConstantTimeEqual(it->second.sha256, digest)) continue;
    if (!it->second.scopes.contains(scope))
      return Fail(ErrorCode::kPermissionDenied,
                  "the API key lacks the scope '" + std::string(NameOf(scope)) + "'");
    return it->second.client_id;
  }
  return Fail(ErrorCode::kUnauthenticated, "unknown API key");
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
                                                  v1::Priority priority,
                                                  std::string_view wanted) const {
  const auto route =
      std::ranges::find_if(compiled_->routes, [&](const Compiled::CompiledRoute& candidate) {
        return RE2::PartialMatch(re2::StringPiece(e164.data(), e164.size()), *candidate.pattern);
      });
  if (route == compiled_->routes.end())
    return Fail(ErrorCode::kNoRoute, "no route matches this number; add a route to the registry",
                "to");
  const Sender* general = nullptr;
  const Sender* dedicated = nullptr;
  const Sender* by_id = nullptr;
  for (const Sender& sender : content_.senders) {
    if (sender.account_sid != route->account_sid || !sender.channels.contains(channel)) continue;
    if (sender.id == wanted) by_id = &sender;
    if (sender.priorities.empty()) {
      if (general == nullptr) general = &sender;
    } else if (sender.priorities.contains(priority) && dedicated == nullptr) {
      dedicated = &sender;
    }
  }
  if (!wanted.empty()) {
    // A sender without priorities serves those that have no sender of their own.
    const bool serves =
        by_id != nullptr &&
        (by_id->priorities.empty() ? dedicated == nullptr : by_id->priorities.contains(priority));
    if (serves) return by_id;
    return Fail(ErrorCode::kNoRoute,
                by_id == nullptr
                    ? "the route's account has no sender with this id for the channel"
                    : "the registry reserves this sender for other priorities; leave the field "
                      "empty to use the sender of this priority",
                "sender_id");
  }
  const Sender* chosen = dedicated != nullptr ? dedicated : general;
  if (chosen != nullptr) return chosen;
  return Fail(ErrorCode::kNoRoute,
              "the route's account has no sender for " + std::string(NameOf(channel)) +
                  "; add one to the registry",
              "to");
}

}  // namespace tocsin
