// Accounts, their senders and messaging services, and opt-outs. Guarded by the lock of the state.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "common/base/secret.h"

namespace tocsin::sim {

struct Account {
  std::string sid = {};
  Secret auth_token = {};       // signs webhooks; accepted by the API
  Secret secondary_token = {};  // accepted by the API; empty outside a rotation
};

struct MessagingService {
  std::string sid = {};
  size_t account = 0;
  std::vector<std::string> pool = {};  // senders
  bool advanced_opt_out = false;
};

// A sender of every account.
constexpr std::string_view kSharedTestNumber = "+15017122661";

class Directory {
 public:
  explicit Directory(std::vector<Account> accounts);

  const std::vector<Account>& Accounts() const { return accounts_; }
  std::optional<size_t> AccountOf(std::string_view sid) const;
  void SetSecondary(size_t account, Secret token) {
    accounts_[account].secondary_token = std::move(token);
  }
  // Replaces the auth token by the secondary token.
  void Promote(size_t account) {
    accounts_[account].auth_token = std::exchange(accounts_[account].secondary_token, Secret());
  }
  // True for either token. Constant time.
  bool Authenticates(size_t account, std::string_view password) const;

  void AddSenderToAll(const std::string& sender);
  void AddSender(const std::string& sender, size_t account);
  enum class Ownership { kOwn, kOtherAccount, kUnknown };
  Ownership OwnershipOf(const std::string& sender, size_t account) const;

  // The URL for inbound messages to a sender; empty for none. `""`: all other senders.
  void SetSmsUrl(const std::string& sender, std::string url) { sms_urls_[sender] = std::move(url); }
  std::string SmsUrlOf(const std::string& sender) const;

  // Adds a service or replaces the one with the same SID, and adds its senders to the account.
  void AddService(MessagingService service);
  std::optional<size_t> ServiceOf(std::string_view sid, size_t account) const;
  // A service with the sender.
  std::optional<size_t> ServiceWith(const std::string& sender, size_t account) const;
  const MessagingService& Service(size_t index) const { return services_[index]; }

  // Opt-out (STOP) and opt-in (START) of a recipient. Applies to the sender and to every service
  // that contains it.
  void Block(const std::string& recipient, const std::string& sender);
  void Unblock(const std::string& recipient, const std::string& sender);
  // `sender` is a number or the SID of a service.
  bool Blocked(const std::string& recipient, const std::string& sender) const;
  void ClearBlocks() { blocked_.clear(); }

 private:
  std::vector<std::string> SendersSharingOptOut(const std::string& sender) const;

  std::vector<Account> accounts_;
  std::unordered_map<std::string, std::vector<size_t>> owners_;
  std::vector<MessagingService> services_;
  std::unordered_map<std::string, std::string> sms_urls_;
  std::unordered_set<std::string> blocked_;  // "recipient|sender"
};

}  // namespace tocsin::sim
