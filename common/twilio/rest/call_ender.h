// Ends calls at Twilio.
#pragma once

#include <string>

#include "common/ports/call_ender.h"
#include "common/twilio/rest/rest_client.h"

namespace tocsin::twilio {

// Sets Status=canceled, which Twilio applies to queued and ringing calls only.
// https://www.twilio.com/docs/voice/api/call-resource#update-a-call-resource
class RestCallEnder final : public CallEnder {
 public:
  // `loop` outlives the object.
  RestCallEnder(EventLoop& loop, RestSettings settings) : client_(loop, std::move(settings)) {}

  Task<Status> EndUnanswered(const Account& account, const std::string& sid,
                             SteadyTime deadline) override;

 private:
  RestClient client_;
};

}  // namespace tocsin::twilio
