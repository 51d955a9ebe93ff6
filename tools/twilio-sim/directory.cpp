#include "tools/twilio-sim/directory.h"

#include <algorithm>
#include <utility>

#include "common/base/digest.h"

namespace tocsin::sim {
namespace {

std::string Pair(const std::string& recipient, const std::string& sender) {
  return recipient + '|' + sender;
}

template <typename List, typename Item>
bool Contains(const List& list, const Item& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

}  // namespace

Directory::Directory(std::vector<Account> accounts) : accounts_(std::move(accounts)) {
  AddSenderToAll(std::string(kSharedTestNumber));
}

std::optional<size_t> Directory::AccountOf(std::string_view sid) const {
  for (size_t i = 0; i < accounts_.size(); ++i) {
    if (accounts_[i].sid == sid) return i;
  }
  return std::nullopt;
}

bool Directory::Authenticates(size_t account, std::string_view password) const {
  const Account& known = accounts_[account];
  const bool primary = ConstantTimeEqual(known.auth_token.Reveal(), password);
  const bool secondary =
      !known.secondary_token.empty() && ConstantTimeEqual(known.secondary_token.Reveal(), password);
  return primary || secondary;
}

void Directory::AddSenderToAll(const std::string& sender) {
  for (size_t i = 0; i < accounts_.size(); ++i) AddSender(sender, i);
}

void Directory::AddSender(const std::string& sender, size_t account) {
  std::vector<size_t>& owners = owners_[sender];
  if (!Contains(owners, account)) owners.push_back(account);
}

Directory::Ownership Directory::OwnershipOf(const std::string& sender, size_t account) const {
  const auto found = owners_.find(sender);
  if (found == owners_.end()) return Ownership::kUnknown;
  return Contains(found->second, account) ? Ownership::kOwn : Ownership::kOtherAccount;
}

void Directory::AddService(MessagingService service) {
  for (const std::string& sender : service.pool) AddSender(sender, service.account);
  for (MessagingService& known : services_) {
    if (known.sid == service.sid) {
      known = std::move(service);
      return;
    }
  }
  services_.push_back(std::move(service));
}

std::optional<size_t> Directory::ServiceOf(std::string_view sid, size_t account) const {
  for (size_t i = 0; i < services_.size(); ++i) {
    if (services_[i].sid == sid && services_[i].account == account) return i;
  }
  return std::nullopt;
}

std::optional<size_t> Directory::ServiceWith(const std::string& sender, size_t account) const {
  for (size_t i = 0; i < services_.size(); ++i) {
    if (services_[i].account == account && Contains(services_[i].pool, sender)) return i;
  }
  return std::nullopt;
}

std::string Directory::SmsUrlOf(const std::string& sender) const {
  auto found = sms_urls_.find(sender);
  if (found == sms_urls_.end()) found = sms_urls_.find("");
  return found == sms_urls_.end() ? "" : found->second;
}

std::vector<std::string> Directory::SendersSharingOptOut(const std::string& sender) const {
  std::vector<std::string> senders = {sender};
  for (const MessagingService& service : services_) {
    if (Contains(service.pool, sender)) senders.push_back(service.sid);
  }
  return senders;
}

void Directory::Block(const std::string& recipient, const std::string& sender) {
  for (const std::string& blocked : SendersSharingOptOut(sender))
    blocked_.insert(Pair(recipient, blocked));
}

void Directory::Unblock(const std::string& recipient, const std::string& sender) {
  for (const std::string& blocked : SendersSharingOptOut(sender))
    blocked_.erase(Pair(recipient, blocked));
}

bool Directory::Blocked(const std::string& recipient, const std::string& sender) const {
  return !blocked_.empty() && blocked_.contains(Pair(recipient, sender));
}

}  // namespace tocsin::sim
