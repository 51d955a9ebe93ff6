// The provider's list of messages or calls: resolves an attempt in doubt that no callback names.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/base/time.h"
#include "common/domain/registry/registry.h"

namespace tocsin {

struct ProviderListQuery {
  Account account;
  Sender sender;
  Pii to;         // E.164
  WallTime from;  // creation time, both ends included
  WallTime until;
};

struct ProviderListEntry {
  std::string sid;
  WallTime created;         // by the provider's clock, whole seconds
  std::optional<Pii> text;  // nothing for a call
  bool by_sender = true;    // sent by the sender of the query
};

class ProviderList {
 public:
  virtual ~ProviderList() = default;

  // All entries to the number that were not received from it, unordered; of messages those of all
  // senders, of calls those of the sender. Fails with kTwilioApiError if any page cannot be read:
  // never returns a part. Recent entries may be missing, because lists lag. Ends at `deadline` at
  // the latest. Used on the loop's thread. Arguments must outlive the task.
  virtual Task<Result<std::vector<ProviderListEntry>>> List(const ProviderListQuery& query,
                                                            SteadyTime deadline) = 0;

  // Whether the account's newest entries have the whole numbers of their recipients: a list by
  // number finds nothing in an account that redacts numbers or deletes messages. False for calls
  // and for an account without entries. Ends and fails as List().
  virtual Task<Result<bool>> ShowsRecipients(const Account& account, SteadyTime deadline) = 0;
};

}  // namespace tocsin
