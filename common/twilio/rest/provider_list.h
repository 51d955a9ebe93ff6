// Twilio's lists of messages and calls to one phone number.
#pragma once

#include "common/ports/provider_list.h"
#include "common/twilio/rest/rest_client.h"

namespace tocsin::twilio {

// Filters by To at Twilio, by time here. Not by DateSent at Twilio: it is null until a message is
// sent.
class MessageList final : public ProviderList {
 public:
  // `loop` outlives the object.
  MessageList(EventLoop& loop, RestSettings settings) : client_(loop, std::move(settings)) {}

  Task<Result<std::vector<ProviderListEntry>>> List(const ProviderListQuery& query,
                                                    SteadyTime deadline) override;
  Task<Result<bool>> ShowsRecipients(const Account& account, SteadyTime deadline) override;

 private:
  RestClient client_;
};

// Reads two lists, filtered by To: queued calls, which have no start time, and calls that started
// since the day of `from`. A queued call has no creation date either and counts as created at
// `from`. Filters by sender and time here.
class CallList final : public ProviderList {
 public:
  // `loop` outlives the object.
  CallList(EventLoop& loop, RestSettings settings) : client_(loop, std::move(settings)) {}

  Task<Result<std::vector<ProviderListEntry>>> List(const ProviderListQuery& query,
                                                    SteadyTime deadline) override;
  Task<Result<bool>> ShowsRecipients(const Account&, SteadyTime) override { co_return false; }

 private:
  RestClient client_;
};

}  // namespace tocsin::twilio
