#include "common/twilio/rest/call_ender.h"

#include "common/base/encoding.h"

namespace tocsin::twilio {

Task<Status> RestCallEnder::EndUnanswered(const Account& account, const std::string& sid,
                                          SteadyTime deadline) {
  const std::string resource = "Calls/" + PercentEncode(sid) + ".json";
  const FormFields form{{"Status", "canceled"}};
  const records::v1::AttemptResult result =
      co_await client_.Post(account, resource, form, deadline);
  // A call in another state is refused by an error code.
  if (result.http_status() != 0) co_return {};
  co_return Fail(ErrorCode::kTwilioApiError, "no response to the cancellation of a call");
}

}  // namespace tocsin::twilio
