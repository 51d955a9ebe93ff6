// What Twilio's error codes mean and what follows from them: one table of data, none of it in code
// paths.
#pragma once

#include <span>
#include <string_view>

namespace tocsin {

// What a code lets us conclude. Decisions about retries are made from the class, never from a code.
enum class TwilioErrorClass {
  kPermanentNumber,    // this number cannot be reached this way: another channel or another number
  kPermanentContent,   // the alert as written cannot be sent: its text or form has to change
  kOptOut,             // the person said STOP: never retried, until START
  kTransientDelivery,  // may reach the person later: few retries, or another channel
  kRateLimitBefore,    // Twilio did not take it: certainly safe to send again, after a wait
  kRateLimitAfter,  // Twilio took it and gave up for too much traffic: a new try, later and slower
  kInDoubt,         // may or may not have been taken: settled, never blindly sent again
  kSenderSetup,     // a person has to set up sender, service or callback address: stop this sender
  kGeography,       // the region is not permitted for this account: permanent until switched on
  kAccount,         // credentials, suspension, trial: stop the account, alarm a person
  kSchedule,        // the request does not fit the resource's time or state: mend the request
  kUnknown,  // not in the table: permanent when refused at once, transient when reported later
};

struct TwilioError {
  int code;
  TwilioErrorClass error_class;
  std::string_view
      reason;  // what happened, in plain words, free of PII; a sentence part without a stop
  std::string_view action;  // what to do, for the person who reads the alert's timeline
};

// The row of `code`. For a code the table does not have: a row of class kUnknown with code 0. The
// reference is valid for ever. Safe from several threads.
const TwilioError& Describe(int code);

// All rows, by rising code.
std::span<const TwilioError> AllTwilioErrors();

std::string_view NameOf(
    TwilioErrorClass error_class);  // lower_snake: metrics, logs, `tocsin errors`

}  // namespace tocsin
