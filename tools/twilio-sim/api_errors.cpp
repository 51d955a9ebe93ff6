#include "tools/twilio-sim/api_errors.h"

#include <algorithm>
#include <array>

namespace tocsin::sim {
namespace {

// By rising code.
constexpr auto kErrors = std::to_array<ApiError>({
    {11750, 400, "The TwiML is too large"},
    {kUnreadableForm, 400, "The request's parameters cannot be read"},
    {kBadCredentials, 401, "Authenticate"},
    {kMethodNotAllowed, 405, "Method not allowed"},
    {20006, 403, "Access denied"},
    {20008, 403, "Resource not accessible with test account credentials"},
    {kNotFinished, 409, "Cannot delete this resource before it is complete"},
    {kNotFound, 404, "The requested resource was not found"},
    {20409, 409, "Conflict"},
    {kTooManyRequests, 429, "Too Many Requests"},
    {kServerError, 500, "Internal Server Error"},
    {20503, 503, "Service is unavailable. Please try again"},
    {21201, 400, "No 'To' number is specified"},
    {21202, 400, "'To' number is a premium number"},
    {21203, 400, "International calling is not enabled"},
    {21205, 400, "Url is not valid, or neither Url nor Twiml is given"},
    {21206, 400, "SendDigits is not valid"},
    {21208, 400, "Timeout is not valid"},
    {21209, 400, "An HTTP method is not valid"},
    {21210, 400, "The source phone number is not yet verified for the account"},
    {21211, 400, "The 'To' number is not a valid phone number"},
    {21212, 400,
     "The 'From' number is not a valid phone number, shortcode, or alphanumeric sender ID"},
    {21213, 400, "Caller phone number is required"},
    {21214, 400, "'To' phone number cannot be reached"},
    {21215, 400, "The account is not authorized to call this region"},
    {21216, 400, "The account is not allowed to call this number"},
    {21217, 400, "Phone number does not appear to be valid"},
    {21218, 400, "The ApplicationSid is not valid"},
    {21219, 400, "'To' phone number is not verified"},
    {21220, 400, "The call is not in the state for this"},
    {21408, 400,
     "Permission to send an SMS has not been enabled for the region of the 'To' number"},
    {21602, 400, "Message body is required"},
    {21603, 400, "A 'From' phone number is required"},
    {21604, 400, "A 'To' phone number is required"},
    {21606, 400,
     "The 'From' phone number is not a valid, SMS-capable phone number for this message"},
    {21609, 400, "The 'StatusCallback' URL is not a valid URL"},
    {21610, 400, "Attempt to send to unsubscribed recipient"},
    {21611, 429, "This 'From' number has exceeded the maximum number of queued messages"},
    {21612, 400,
     "Message cannot be sent with the current combination of 'To' and 'From' parameters"},
    {21614, 400, "'To' number is not a valid mobile number"},
    {21617, 400, "The concatenated message body exceeds the 1600 character limit"},
    {21620, 400, "Invalid media URL(s)"},
    {21635, 400, "'To' number cannot be a landline"},
    {21655, 400, "The ContentSid is invalid"},
    {21656, 400, "The ContentVariables parameter is invalid"},
    {21659, 400, "'From' is not a Twilio phone number or there is a short code country mismatch"},
    {21660, 400, "Mismatch between the 'From' number and the account"},
    {21661, 400, "'From' number is not SMS-capable"},
    {21701, 400, "The Messaging Service does not exist"},
    {21703, 400, "The Messaging Service does not have a phone number available to send a message"},
    {21704, 400, "The Messaging Service contains no phone numbers"},
    {21705, 400, "The Messaging Service is invalid"},
    {22005, 429, "The account's queue of calls is longer than a day"},
    {30001, 400, "Queue overflow"},
    {30002, 400, "Account suspended"},
    {30003, 400, "Unreachable destination handset"},
    {30004, 400, "Message blocked"},
    {30005, 400, "Unknown destination handset"},
    {30006, 400, "Landline or unreachable carrier"},
    {30007, 400, "Message filtered"},
    {30008, 400, "Unknown error"},
    {30017, 400, "Carrier network congestion"},
    {30022, 400, "US A2P 10DLC rate limits exceeded"},
    {30023, 400, "US A2P 10DLC daily message cap reached"},
    {30032, 400, "Toll-free number is not verified"},
    {30034, 400, "US A2P 10DLC message from an unregistered number"},
    {30036, 400, "Validity period expired"},
    {30409, 400, "The message can no longer be canceled"},
    {30410, 400, "Provider timeout"},
    {30450, 400, "Message delivery blocked"},
    {35114, 400, "The SendAt time is not valid or too soon"},
    {35115, 400, "The SendAt time is too far ahead"},
    {35118, 400, "MessagingServiceSid is required to schedule a message"},
    {90007, 400, "The ValidityPeriod is out of range"},
});

}  // namespace

ApiError ErrorOf(int code) {
  const auto* found = std::lower_bound(kErrors.begin(), kErrors.end(), code,
                                       [](const ApiError& row, int c) { return row.code < c; });
  if (found != kErrors.end() && found->code == code) return *found;
  return {code, 400, "The request was refused"};
}

}  // namespace tocsin::sim
