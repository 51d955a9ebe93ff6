// Who may send from what: accounts, their numbers, their messaging services, and who said STOP.
// None of it locks: the simulator's one lock guards it.
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
  Secret auth_token = {};       // signs webhooks; REST takes it too
  Secret secondary_token = {};  // empty, or a second token that REST takes during a rotation
};

struct MessagingService {
  std::string sid = {};
  size_t account = 0;
  std::vector<std::string> pool = {};  // senders
  bool advanced_opt_out = false;
};

// Always owned, by every account.
constexpr std::string_view kAlwaysOwned = "+15017122661";

class Directory {
 public:
  explicit Directory(std::vector<Account> accounts);

  const std::vector<Account>& Accounts() const { return accounts_; }
  std::optional<size_t> AccountOf(std::string_view sid) const;
  void SetSecondary(size_t account, Secret token) {
    accounts_[account].secondary_token = std::move(token);
  }
  // The secondary token becomes the only one: it signs from now on.
  void Promote(size_t account) {
    accounts_[account].auth_token = std::exchange(accounts_[account].secondary_token, Secret());
  }
  // Compares in constant time. True for either token.
  bool Authenticates(size_t account, std::string_view password) const;

  void Own(const std::string& sender);  // by every account
  void OwnBy(const std::string& sender, size_t account);
  enum class Ownership { kOurs, kAnotherAccounts, kNobodys };
  Ownership OwnerOf(const std::string& sender, size_t account) const;

  // Where inbound messages to a sender are posted; empty: nowhere. `""` is any other sender.
  void SetSmsUrl(const std::string& sender, std::string url) { sms_urls_[sender] = std::move(url); }
  std::string SmsUrlOf(const std::string& sender) const;

  // Replaces a service of the same SID. Its senders become the account's own.
  void AddService(MessagingService service);
  std::optional<size_t> ServiceOf(std::string_view sid, size_t account) const;
  // The service that has the sender, if any has.
  std::optional<size_t> ServiceWith(const std::string& sender, size_t account) const;
  const MessagingService& Service(size_t index) const { return services_[index]; }

  // The person at `person` said STOP or START to the sender: it counts for the sender and for every
  // service that has it.
  void Block(const std::string& person, const std::string& sender);
  void Unblock(const std::string& person, const std::string& sender);
  // `sender` is a number, or the SID of a service.
  bool Blocked(const std::string& person, const std::string& sender) const;
  void ForgetBlocks() { blocked_.clear(); }

 private:
  std::vector<std::string> SendersBeside(const std::string& sender) const;

  std::vector<Account> accounts_;
  std::unordered_map<std::string, std::vector<size_t>> owners_;
  std::vector<MessagingService> services_;
  std::unordered_map<std::string, std::string> sms_urls_;
  std::unordered_set<std::string> blocked_;  // person|sender
};

}  // namespace tocsin::sim
