#include "common/domain/twilio_errors.h"

#include <algorithm>
#include <array>

namespace tocsin {
namespace {

using enum TwilioErrorClass;

// Advice that many rows share.
constexpr std::string_view kMarkNumber = "check the number with its owner; use another channel";
constexpr std::string_view kMendText = "mend the text or template and send a new alert";
constexpr std::string_view kMendRequest = "mend the request; repeating it unchanged fails again";
constexpr std::string_view kMendTwiml =
    "mend the call's script; see Twilio's debugger for the line";
constexpr std::string_view kWaits = "nothing: it is tried again after a wait";
constexpr std::string_view kSlower =
    "lower the sender's rate, or spread the traffic over more senders";
constexpr std::string_view kRetries = "nothing: it is tried again, or goes by another channel";
constexpr std::string_view kSettles =
    "nothing: it is looked up at Twilio before anything is repeated";
constexpr std::string_view kMendSender =
    "correct the sender in the registry or in Twilio's console";
constexpr std::string_view kMendService = "correct the messaging service in Twilio's console";
constexpr std::string_view kRegister = "finish the sender's registration in Twilio's console";
constexpr std::string_view kCheckPublicUrl =
    "check that Twilio reaches the ingress by its public address";
constexpr std::string_view kPermitRegion = "permit the region in Twilio's console, geo permissions";
constexpr std::string_view kMendAccount =
    "check account and credentials in Twilio's console and the registry";
constexpr std::string_view kLeaveTrial =
    "verify the number in Twilio's console, or leave the trial";

// Source: Twilio's error dictionary and the pages of Messages and Calls. By rising code.
constexpr std::array kErrors = std::to_array<TwilioError>({
    {11200, kSenderSetup, "Twilio got no good HTTP answer from a callback address",
     kCheckPublicUrl},
    {11205, kSenderSetup, "Twilio could not connect to a callback address", kCheckPublicUrl},
    {11206, kSenderSetup, "a callback address did not speak HTTP", kCheckPublicUrl},
    {11210, kSenderSetup, "the host of a callback address was not found", kCheckPublicUrl},
    {11215, kSenderSetup, "a callback address redirected too often", kCheckPublicUrl},
    {11220, kSenderSetup, "the TLS handshake with a callback address failed", kCheckPublicUrl},
    {11235, kSenderSetup, "the certificate of a callback address is not valid", kCheckPublicUrl},
    {11237, kSenderSetup, "the certificate of a callback address is not trusted", kCheckPublicUrl},
    {11750, kPermanentContent, "the call's script is larger than 64 kB", kMendTwiml},
    {12100, kPermanentContent, "the call's script is not well-formed XML", kMendTwiml},
    {12200, kPermanentContent, "the call's script does not follow TwiML", kMendTwiml},
    {12300, kPermanentContent, "the call's script came with a wrong content type", kMendTwiml},
    {13223, kPermanentNumber, "the number to dial is malformed", kMarkNumber},
    {13224, kPermanentNumber, "the number to dial is invalid or not supported", kMarkNumber},
    {13225, kPermanentNumber, "calls to this number are blocked", kMarkNumber},
    {13226, kPermanentNumber, "the country code of the number to dial is invalid", kMarkNumber},
    {13227, kGeography, "calls to this region are not permitted for the account", kPermitRegion},
    {14103, kPermanentContent, "the message body is invalid", kMendText},
    {14107, kRateLimitAfter, "more than 15 replies between two numbers in 30 s", kSlower},
    {15003, kSenderSetup, "a status callback of a call was answered with an error",
     kCheckPublicUrl},
    {20003, kAccount, "credentials refused: wrong, of another region, or account closed",
     kMendAccount},
    {20004, kPermanentContent, "the HTTP method is not allowed there", kMendRequest},
    {20005, kAccount, "the account is not active", kMendAccount},
    {20006, kAccount, "access denied for these credentials", kMendAccount},
    {20008, kAccount, "the resource cannot be used with test credentials", kMendAccount},
    {20009, kSchedule, "the message is still in flight and cannot be deleted", kMendRequest},
    {20010, kAccount, "the account may not do this", kMendAccount},
    {20403, kAccount, "forbidden for this account", kMendAccount},
    {20404, kAccount, "Twilio does not know the account or resource", kMendAccount},
    {20409, kSchedule, "the resource was being changed by another request", kMendRequest},
    {20429, kRateLimitBefore, "too many requests of the account at once", kWaits},
    {20500, kInDoubt, "internal error at Twilio; the request may have been taken", kSettles},
    {20503, kInDoubt, "Twilio was unavailable; the request may have been taken", kSettles},
    {21201, kPermanentContent, "no number to call was given", kMendRequest},
    {21202, kPermanentNumber, "the number is a premium number", kMarkNumber},
    {21203, kGeography, "international calls are switched off for the account", kPermitRegion},
    {21205, kSenderSetup, "the address of the call's script is invalid", kCheckPublicUrl},
    {21206, kPermanentContent, "the digits to send are invalid", kMendRequest},
    {21208, kPermanentContent, "the ringing time-out is invalid", kMendRequest},
    {21209, kSenderSetup, "the HTTP method of a callback is invalid", kCheckPublicUrl},
    {21210, kSenderSetup, "the caller's number is not verified for the account", kMendSender},
    {21211, kPermanentNumber, "the recipient's number is invalid", kMarkNumber},
    {21212, kSenderSetup, "the sender's number is invalid", kMendSender},
    {21213, kSenderSetup, "no caller's number was given", kMendSender},
    {21214, kPermanentNumber, "the number cannot be reached by a call", kMarkNumber},
    {21215, kGeography, "calls to this region are not permitted for the account", kPermitRegion},
    {21216, kPermanentNumber, "the number is on the account's block list", kMarkNumber},
    {21217, kPermanentNumber, "the number is not a valid telephone number", kMarkNumber},
    {21218, kSenderSetup, "the application id is invalid", kMendSender},
    {21219, kAccount, "a trial account calls verified numbers only", kLeaveTrial},
    {21220, kSchedule, "the call is not in the state for this", kMendRequest},
    {21262, kSenderSetup, "machine detection was asked for without a callback", kCheckPublicUrl},
    {21408, kGeography, "messages to this region are not permitted for the account", kPermitRegion},
    {21601, kSenderSetup, "the sender's number cannot send messages", kMendSender},
    {21602, kPermanentContent, "the message has neither body nor media", kMendText},
    {21603, kSenderSetup, "neither sender nor messaging service was given", kMendSender},
    {21604, kPermanentContent, "no recipient was given", kMendRequest},
    {21605, kPermanentContent, "the message body is too long", kMendText},
    {21606, kSenderSetup, "the sender's number cannot send messages to this recipient",
     kMendSender},
    {21607, kAccount, "a trial account sends from its own numbers only", kLeaveTrial},
    {21608, kAccount, "a trial account sends to verified numbers only", kLeaveTrial},
    {21609, kSenderSetup, "the status callback address is invalid", kCheckPublicUrl},
    {21610, kOptOut, "the recipient opted out of this sender",
     "wait until the person writes START"},
    {21611, kRateLimitBefore, "the sender's queue at Twilio is full", kSlower},
    {21612, kPermanentNumber, "no route from this sender to this number", kMarkNumber},
    {21614, kPermanentNumber, "the number is not a mobile number", kMarkNumber},
    {21616, kSenderSetup, "the sender's number is ambiguous in the account", kMendSender},
    {21617, kPermanentContent, "the message body is longer than 1600 characters", kMendText},
    {21618, kPermanentContent, "the message body cannot be sent", kMendText},
    {21619, kPermanentContent, "the message has neither body nor media", kMendText},
    {21620, kPermanentContent, "a media address is invalid", kMendText},
    {21635, kPermanentNumber, "the number is a landline", kMarkNumber},
    {21654, kPermanentContent, "no content template was given", kMendText},
    {21655, kPermanentContent, "the content template is unknown", kMendText},
    {21656, kPermanentContent, "the values for the content template are invalid", kMendText},
    {21657, kSenderSetup, "the sender does not fit the messaging service", kMendSender},
    {21659, kSenderSetup, "the sender's number is not a Twilio number", kMendSender},
    {21660, kSenderSetup, "the sender's number belongs to another account", kMendSender},
    {21661, kSenderSetup, "the sender's number cannot send messages", kMendSender},
    {21701, kSenderSetup, "the messaging service does not exist", kMendService},
    {21703, kSenderSetup, "the messaging service has no sender for this recipient", kMendService},
    {21704, kSenderSetup, "the messaging service has no sender at all", kMendService},
    {21705, kSenderSetup, "the messaging service id is invalid", kMendService},
    {22005, kRateLimitBefore, "the account's call queue is longer than 24 h", kSlower},
    {30001, kRateLimitAfter, "the sender's queue at Twilio overflowed", kSlower},
    {30002, kAccount, "the account was suspended after the message was taken", kMendAccount},
    {30003, kTransientDelivery, "the handset is switched off or out of reach", kRetries},
    {30004, kPermanentNumber, "the message was blocked by carrier or recipient", kMarkNumber},
    {30005, kPermanentNumber, "the number is not in use", kMarkNumber},
    {30006, kPermanentNumber, "the number is a landline, or its carrier cannot be reached",
     kMarkNumber},
    {30007, kPermanentContent, "a carrier filtered the message as unwanted", kMendText},
    {30008, kTransientDelivery, "the carrier failed without giving a reason", kRetries},
    {30010, kPermanentContent, "the message cost more than its price limit", kMendRequest},
    {30017, kRateLimitAfter, "the carrier's network is congested", kWaits},
    {30018, kSenderSetup, "the carrier asks for a registered sender id", kRegister},
    {30019, kPermanentContent, "the content is larger than the carrier takes", kMendText},
    {30022, kRateLimitAfter, "the campaign's rate at the carriers was exceeded", kSlower},
    {30023, kRateLimitAfter, "the campaign's daily cap is used up; it ends at 00:00 Pacific",
     kSlower},
    {30024, kSenderSetup, "the numeric sender id is not provisioned at the carrier", kRegister},
    {30032, kSenderSetup, "the toll-free number is not verified", kRegister},
    {30033, kSenderSetup, "the sender's campaign is suspended", kRegister},
    {30034, kSenderSetup, "the sender's number is not registered for 10DLC", kRegister},
    {30035, kSenderSetup, "the sender's registration is not complete yet", kRegister},
    {30036, kRateLimitAfter, "the validity period ended in Twilio's queue", kSlower},
    {30045, kSchedule, "the validity period is out of range", kMendRequest},
    {30409, kSchedule, "too late to cancel: the message is being sent", kMendRequest},
    {30410, kTransientDelivery, "the carrier did not answer in time", kRetries},
    {30450, kTransientDelivery, "blocked by fraud protection for 15 to 30 minutes", kRetries},
    {30883, kPermanentContent, "the content breaks a messaging rule", kMendText},
    {32016, kTransientDelivery, "no carrier answered the call within 60 s", kRetries},
    {35114, kSchedule, "the time to send at is malformed or out of range", kMendRequest},
    {35115, kSchedule, "the time to send at is too near or too far", kMendRequest},
    {35118, kSchedule, "scheduling needs a messaging service", kMendRequest},
    {90007, kSchedule, "the validity period is out of range", kMendRequest},
    {90010, kAccount, "the account is inactive", kMendAccount},
});

constexpr TwilioError kNotInTable = {0, kUnknown, "Twilio gave a reason that is not in the table",
                                     "look the code up at www.twilio.com/docs/errors"};

constexpr bool Rises() {
  return std::ranges::adjacent_find(kErrors, [](const TwilioError& a, const TwilioError& b) {
           return a.code >= b.code;
         }) == kErrors.end();
}
static_assert(Rises(), "Describe() searches by halves");

}  // namespace

const TwilioError& Describe(int code) {
  const auto* row = std::ranges::lower_bound(kErrors, code, {}, &TwilioError::code);
  return row != kErrors.end() && row->code == code ? *row : kNotInTable;
}

std::span<const TwilioError> AllTwilioErrors() { return kErrors; }

std::string_view NameOf(TwilioErrorClass error_class) {
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
  }
  return "unknown";
}

}  // namespace tocsin
