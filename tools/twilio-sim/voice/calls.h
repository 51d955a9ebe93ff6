// The calls that were made, and when each of them wants to be looked at again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/twilio-sim/agenda.h"
#include "tools/twilio-sim/callbacks.h"
#include "tools/twilio-sim/dice.h"
#include "tools/twilio-sim/shelf.h"
#include "tools/twilio-sim/voice/call.h"

namespace tocsin::sim {

constexpr size_t kDefaultKeptCalls = 200'000;  // what was heard in each is kept too

// The answer to a request for a document, on its way from the sending thread to the exchange.
struct ArrivedDocument {
  std::uint64_t call = 0;
  unsigned document = 0;  // Conversation::documents when it was asked for
  WebhookAnswer answer = {};
};

class Calls {
 public:
  Calls(std::uint64_t seed, size_t keep) : dice_(DiceOf(seed)), shelf_(keep) {}

  Call& Add(const CallDraft& draft, PhoneScript phone, WallTime now);
  const Call* Find(std::uint64_t number) const { return shelf_.Find(number); }
  Call* Mutable(std::uint64_t number) { return shelf_.Mutable(number); }
  // By SID, whatever its account is; deleted ones are not found.
  Call* Show(std::string_view sid);
  std::string SidOf(const Call& call) const;
  const Shelf<Call>& Kept() const { return shelf_; }
  const Dice& Randomness() const { return dice_; }

  // The call is looked at when the nearest of its instants has come.
  void Plan(const Call& call);
  // A call one of whose instants has come, or nullptr.
  Call* TakeDue(WallTime now);
  std::optional<WallTime> NextDue() const;

  void Arrive(ArrivedDocument document) { arrived_.push_back(std::move(document)); }
  std::vector<ArrivedDocument> TakeArrived() { return std::exchange(arrived_, {}); }

  // As Messages::Clear().
  void Clear(std::optional<std::uint64_t> seed);

 private:
  // Other SIDs and delays than those of the messages of the same numbers.
  static Dice DiceOf(std::uint64_t seed) { return Dice(Mix(seed + 1)); }

  Dice dice_;
  Shelf<Call> shelf_;
  Agenda steps_;
  std::vector<ArrivedDocument> arrived_;
};

// The nearest of the call's instants.
std::optional<WallTime> NextInstant(const Call& call);

}  // namespace tocsin::sim
