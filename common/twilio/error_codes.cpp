#include "common/twilio/error_codes.h"

#include <algorithm>
#include <array>

namespace tocsin::twilio {
namespace {

constexpr auto kPermanentNumber = records::v1::PROVIDER_ERROR_CLASS_PERMANENT_NUMBER;
constexpr auto kPermanentContent = records::v1::PROVIDER_ERROR_CLASS_PERMANENT_CONTENT;
constexpr auto kOptOut = records::v1::PROVIDER_ERROR_CLASS_OPT_OUT;
constexpr auto kTransientDelivery = records::v1::PROVIDER_ERROR_CLASS_TRANSIENT_DELIVERY;
constexpr auto kRateLimitBefore = records::v1::PROVIDER_ERROR_CLASS_RATE_LIMIT_BEFORE;
constexpr auto kRateLimitAfter = records::v1::PROVIDER_ERROR_CLASS_RATE_LIMIT_AFTER;
constexpr auto kInDoubt = records::v1::PROVIDER_ERROR_CLASS_IN_DOUBT;
constexpr auto kSenderSetup = records::v1::PROVIDER_ERROR_CLASS_SENDER_SETUP;
constexpr auto kGeography = records::v1::PROVIDER_ERROR_CLASS_GEOGRAPHY;
constexpr auto kAccount = records::v1::PROVIDER_ERROR_CLASS_ACCOUNT;
constexpr auto kSchedule = records::v1::PROVIDER_ERROR_CLASS_SCHEDULE;
constexpr auto kUnknown = records::v1::PROVIDER_ERROR_CLASS_UNKNOWN;

// Actions that several rows share.
constexpr std::string_view kCheckNumber =
    "check the number with the recipient, or use another channel";
constexpr std::string_view kFixText = "correct the text or template and send a new alert";
constexpr std::string_view kFixRequest = "correct the request; an unchanged request fails again";
constexpr std::string_view kFixTwiml =
    "correct the TwiML of the call; Twilio's debugger shows the line";
constexpr std::string_view kWaitForReschedule = "none: retried after a delay";
constexpr std::string_view kReduceRate = "lower the rate of the sender, or use more senders";
constexpr std::string_view kWaitForRetry = "none: retried, or sent by another channel";
constexpr std::string_view kWaitForResolution = "none: looked up at Twilio before any retry";
constexpr std::string_view kFixSender = "correct the sender in the registry or in Twilio's console";
constexpr std::string_view kFixService = "correct the messaging service in Twilio's console";
constexpr std::string_view kCompleteRegistration =
    "complete the registration of the sender in Twilio's console";
constexpr std::string_view kCheckPublicUrl =
    "check that Twilio can reach the public URL of the ingress";
constexpr std::string_view kPermitRegion =
    "enable the region in Twilio's console (geo permissions)";
constexpr std::string_view kFixAccount =
    "check the account in Twilio's console and its credentials in the registry";
constexpr std::string_view kUpgradeTrial =
    "verify the number in Twilio's console, or upgrade the trial account";

// Source: Twilio's error dictionary and its documentation of Messages and Calls. Ascending codes.
constexpr std::array kErrors = std::to_array<ErrorCodeInfo>({
    {11200, kSenderSetup, "Twilio got no valid HTTP response from a callback URL", kCheckPublicUrl},
    {11205, kSenderSetup, "Twilio could not connect to a callback URL", kCheckPublicUrl},
    {11206, kSenderSetup, "a callback URL did not respond with HTTP", kCheckPublicUrl},
    {11210, kSenderSetup, "host of a callback URL not found", kCheckPublicUrl},
    {11215, kSenderSetup, "too many redirects of a callback URL", kCheckPublicUrl},
    {11220, kSenderSetup, "TLS handshake with a callback URL failed", kCheckPublicUrl},
    {11235, kSenderSetup, "invalid certificate of a callback URL", kCheckPublicUrl},
    {11237, kSenderSetup, "untrusted certificate of a callback URL", kCheckPublicUrl},
    {11750, kPermanentContent, "TwiML larger than 64 kB", kFixTwiml},
    {12100, kPermanentContent, "TwiML is not well-formed XML", kFixTwiml},
    {12200, kPermanentContent, "TwiML does not follow its schema", kFixTwiml},
    {12300, kPermanentContent, "TwiML with an invalid content type", kFixTwiml},
    {13223, kPermanentNumber, "malformed phone number to dial", kCheckNumber},
    {13224, kPermanentNumber, "invalid or unsupported phone number to dial", kCheckNumber},
    {13225, kPermanentNumber, "calls to this number are blocked", kCheckNumber},
    {13226, kPermanentNumber, "invalid country code of the number to dial", kCheckNumber},
    {13227, kGeography, "calls to this region are not permitted for the account", kPermitRegion},
    {14103, kPermanentContent, "invalid message body", kFixText},
    {14107, kRateLimitAfter, "more than 15 replies between two numbers in 30 s", kReduceRate},
    {15003, kSenderSetup, "status callback of a call got an error response", kCheckPublicUrl},
    {20003, kAccount, "invalid credentials, credentials of another region, or closed account",
     kFixAccount},
    {20004, kPermanentContent, "HTTP method not allowed", kFixRequest},
    {20005, kAccount, "account is not active", kFixAccount},
    {20006, kAccount, "access denied for these credentials", kFixAccount},
    {20008, kAccount, "resource cannot be used with test credentials", kFixAccount},
    {20009, kSchedule, "message in progress cannot be deleted", kFixRequest},
    {20010, kAccount, "account is not authorized", kFixAccount},
    {20403, kAccount, "forbidden for this account", kFixAccount},
    {20404, kAccount, "account or resource not found", kFixAccount},
    {20409, kSchedule, "resource was modified by another request", kFixRequest},
    {20429, kRateLimitBefore, "too many concurrent requests of the account", kWaitForReschedule},
    {20500, kInDoubt, "internal error at Twilio; the request may have been accepted",
     kWaitForResolution},
    {20503, kInDoubt, "Twilio unavailable; the request may have been accepted", kWaitForResolution},
    {21201, kPermanentContent, "no number to call", kFixRequest},
    {21202, kPermanentNumber, "premium-rate number", kCheckNumber},
    {21203, kGeography, "international calls are disabled for the account", kPermitRegion},
    {21205, kSenderSetup, "invalid TwiML URL", kCheckPublicUrl},
    {21206, kPermanentContent, "invalid digits to send", kFixRequest},
    {21208, kPermanentContent, "invalid ring timeout", kFixRequest},
    {21209, kSenderSetup, "invalid HTTP method of a callback", kCheckPublicUrl},
    {21210, kSenderSetup, "caller number is not verified for the account", kFixSender},
    {21211, kPermanentNumber, "invalid recipient number", kCheckNumber},
    {21212, kSenderSetup, "invalid sender number", kFixSender},
    {21213, kSenderSetup, "no caller number", kFixSender},
    {21214, kPermanentNumber, "number cannot be called", kCheckNumber},
    {21215, kGeography, "calls to this region are not permitted for the account", kPermitRegion},
    {21216, kPermanentNumber, "number is on the block list of the account", kCheckNumber},
    {21217, kPermanentNumber, "not a valid phone number", kCheckNumber},
    {21218, kSenderSetup, "invalid application SID", kFixSender},
    {21219, kAccount, "trial accounts call only verified numbers", kUpgradeTrial},
    {21220, kSchedule, "call is in the wrong state", kFixRequest},
    {21262, kSenderSetup, "machine detection requested without a callback", kCheckPublicUrl},
    {21408, kGeography, "messages to this region are not permitted for the account", kPermitRegion},
    {21601, kSenderSetup, "sender number cannot send messages", kFixSender},
    {21602, kPermanentContent, "message without body and media", kFixText},
    {21603, kSenderSetup, "no sender and no messaging service", kFixSender},
    {21604, kPermanentContent, "no recipient", kFixRequest},
    {21605, kPermanentContent, "message body too long", kFixText},
    {21606, kSenderSetup, "sender number cannot send messages to this recipient", kFixSender},
    {21607, kAccount, "trial accounts send only from their own numbers", kUpgradeTrial},
    {21608, kAccount, "trial accounts send only to verified numbers", kUpgradeTrial},
    {21609, kSenderSetup, "invalid status callback URL", kCheckPublicUrl},
    {21610, kOptOut, "recipient has opted out of this sender",
     "none: sending is possible after the recipient replies START"},
    {21611, kRateLimitBefore, "queue of the sender at Twilio is full", kReduceRate},
    {21612, kPermanentNumber, "no route from this sender to this number", kCheckNumber},
    {21614, kPermanentNumber, "not a mobile number", kCheckNumber},
    {21616, kSenderSetup, "sender number is ambiguous in the account", kFixSender},
    {21617, kPermanentContent, "message body longer than 1600 characters", kFixText},
    {21618, kPermanentContent, "message body cannot be sent", kFixText},
    {21619, kPermanentContent, "message without body and media", kFixText},
    {21620, kPermanentContent, "invalid media URL", kFixText},
    {21635, kPermanentNumber, "landline number", kCheckNumber},
    {21654, kPermanentContent, "no content template", kFixText},
    {21655, kPermanentContent, "unknown content template", kFixText},
    {21656, kPermanentContent, "invalid variables of the content template", kFixText},
    {21657, kSenderSetup, "sender does not belong to the messaging service", kFixSender},
    {21659, kSenderSetup, "sender number is not a Twilio number", kFixSender},
    {21660, kSenderSetup, "sender number belongs to another account", kFixSender},
    {21661, kSenderSetup, "sender number cannot send messages", kFixSender},
    {21701, kSenderSetup, "messaging service not found", kFixService},
    {21703, kSenderSetup, "messaging service has no sender for this recipient", kFixService},
    {21704, kSenderSetup, "messaging service has no sender", kFixService},
    {21705, kSenderSetup, "invalid messaging service SID", kFixService},
    {22005, kRateLimitBefore, "call queue of the account longer than 24 h", kReduceRate},
    {30001, kRateLimitAfter, "queue of the sender at Twilio overflowed", kReduceRate},
    {30002, kAccount, "account suspended after the message was accepted", kFixAccount},
    {30003, kTransientDelivery, "handset switched off or unreachable", kWaitForRetry},
    {30004, kPermanentNumber, "message blocked by carrier or recipient", kCheckNumber},
    {30005, kPermanentNumber, "number not in service", kCheckNumber},
    {30006, kPermanentNumber, "landline number, or unreachable carrier", kCheckNumber},
    {30007, kPermanentContent, "message filtered by a carrier", kFixText},
    {30008, kTransientDelivery, "unknown error of the carrier", kWaitForRetry},
    {30010, kPermanentContent, "price of the message exceeds its limit", kFixRequest},
    {30017, kRateLimitAfter, "carrier network is congested", kWaitForReschedule},
    {30018, kSenderSetup, "carrier requires a registered sender ID", kCompleteRegistration},
    {30019, kPermanentContent, "content exceeds the size limit of the carrier", kFixText},
    {30022, kRateLimitAfter, "rate of the campaign at the carriers exceeded", kReduceRate},
    {30023, kRateLimitAfter, "daily cap of the campaign reached; resets at 00:00 Pacific Time",
     kReduceRate},
    {30024, kSenderSetup, "numeric sender ID is not provisioned at the carrier",
     kCompleteRegistration},
    {30032, kSenderSetup, "toll-free number is not verified", kCompleteRegistration},
    {30033, kSenderSetup, "campaign of the sender is suspended", kCompleteRegistration},
    {30034, kSenderSetup, "sender number is not registered for 10DLC", kCompleteRegistration},
    {30035, kSenderSetup, "registration of the sender is incomplete", kCompleteRegistration},
    {30036, kRateLimitAfter, "validity period expired in Twilio's queue", kReduceRate},
    {30045, kSchedule, "validity period out of range", kFixRequest},
    {30409, kSchedule, "message cannot be cancelled while it is being sent", kFixRequest},
    {30410, kTransientDelivery, "timeout of the carrier", kWaitForRetry},
    {30450, kTransientDelivery, "blocked by fraud protection for 15 to 30 minutes", kWaitForRetry},
    {30883, kPermanentContent, "content violates a messaging rule", kFixText},
    {32016, kTransientDelivery, "no response from a carrier within 60 s", kWaitForRetry},
    {35114, kSchedule, "send time malformed or out of range", kFixRequest},
    {35115, kSchedule, "send time too early or too late", kFixRequest},
    {35118, kSchedule, "scheduling needs a messaging service", kFixRequest},
    {90007, kSchedule, "validity period out of range", kFixRequest},
    {90010, kAccount, "inactive account", kFixAccount},
});

constexpr ErrorCodeInfo kUnknownCode = {0, kUnknown, "error code unknown to Tocsin",
                                        "look up the code at www.twilio.com/docs/errors"};

constexpr bool IsAscending() {
  return std::ranges::adjacent_find(kErrors, [](const ErrorCodeInfo& a, const ErrorCodeInfo& b) {
           return a.code >= b.code;
         }) == kErrors.end();
}
static_assert(IsAscending(), "Describe() uses a binary search");

}  // namespace

const ErrorCodeInfo& Describe(int code) {
  const auto* row = std::ranges::lower_bound(kErrors, code, {}, &ErrorCodeInfo::code);
  return row != kErrors.end() && row->code == code ? *row : kUnknownCode;
}

std::span<const ErrorCodeInfo> AllErrorCodes() { return kErrors; }

std::string_view NameOf(records::v1::ProviderErrorClass error_class) {
  switch (error_class) {
    case kPermanentNumber: return "permanent_number";
    case kPermanentContent: return "permanent_content";
    case kOptOut: return "opt_out";
    case kTransientDelivery: return "transient_delivery";
    case kRateLimitBefore: return "rate_limit_before";
    case kRateLimitAfter: return "rate_limit_after";
    case kInDoubt: return "in_doubt";
    case kSenderSetup: return "sender_setup";
    case kGeography: return "geography";
    case kAccount: return "account";
    case kSchedule: return "schedule";
    case kUnknown: return "unknown";
    case records::v1::PROVIDER_ERROR_CLASS_CANCELLED: return "cancelled";
    default: return "unspecified";
  }
}

}  // namespace tocsin::twilio
