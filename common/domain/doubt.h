// How a try in doubt is settled, and when (pure).
#pragma once

#include <string>

#include "common/base/time.h"
#include "tocsin/v1/records.pb.h"

namespace tocsin {

// When a doubt is looked into. Looks double their distance from the first one on, and the last is
// made when the limit of the class is over: then its policy decides.
struct DoubtSchedule {
  Micros first_look = std::chrono::seconds(1);
  Micros emergency_limit = std::chrono::seconds(15);
  Micros other_limit = std::chrono::seconds(75);
};

// How far the carrier's clock may be from ours, and its times are whole seconds.
constexpr Micros kCarrierSkew = std::chrono::seconds(5);

// How a doubt was settled: Receipt.settled_by, TryChanged.settled_by.
constexpr std::string_view kByCallback = "callback";
constexpr std::string_view kByList = "list";
constexpr std::string_view kByPolicy = "policy";
constexpr std::string_view kByAnswer = "answer";  // whoever made the POST came back and said it

// The first look into the doubt that `doubt`, a receipt IN_DOUBT of `work`, began.
v1::WorkRecord FirstLook(const v1::WorkRecord& work, const v1::Receipt& doubt,
                         const DoubtSchedule& schedule);

// The look after one that settled nothing. A function of the look before it.
v1::WorkRecord NextLook(const v1::WorkRecord& look, const DoubtSchedule& schedule);

// When the class's policy decides.
WallTime PolicyTime(const v1::WorkRecord& look, const DoubtSchedule& schedule);

// Whether the policy is to send again, openly: the caller's wish, else emergencies only.
bool SendsAgain(const v1::WorkRecord& work);

// Tries with equal twins cannot be told apart in the carrier's list: the same person, the same
// text; of calls, which list no text, the same person and the same sender. Raw bytes.
std::string TwinsOf(const v1::WorkRecord& work);

// Whether what the carrier lists as created at `created` may be this try.
bool WithinDoubt(const v1::Doubt& doubt, WallTime created);

// The outcomes that settle it: the carrier lists it under `sid`; or nothing proves it, and the
// policy decides.
v1::Receipt FoundInList(const v1::WorkRecord& look, const std::string& sid, WallTime created);
v1::Receipt EndedByPolicy(const v1::WorkRecord& look, WallTime policy_time);

// What a callback proves of the try it names: the carrier has it. `status`: what it says besides.
v1::Receipt ProvenByCallback(const v1::WebhookRecord& webhook);

// The end of a doubt that nothing settled; late proof outranks it.
bool IsUnproven(const v1::Receipt& receipt);

// The try that a look is about, as it was before the doubt.
v1::WorkRecord WithoutDoubt(v1::WorkRecord work);

// Which of two outcomes of one try stands: the higher. 0 for an outcome that is certain and that
// nothing replaces.
enum class Proof {
  kCertain = 0,
  kDoubt = 1,     // in doubt, open
  kUnproven = 2,  // a doubt ended by policy; or certainly not sent, as was thought
  kList = 3,      // found in a list: which of several equal messages is a guess
  kCallback = 4,  // a callback names the try
  kAnswer = 5,    // the answer to the POST
};
Proof ProofOf(const v1::Receipt& receipt);

}  // namespace tocsin
