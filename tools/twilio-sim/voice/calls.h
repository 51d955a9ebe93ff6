// The calls and their due times.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/twilio-sim/numbered_store.h"
#include "tools/twilio-sim/random.h"
#include "tools/twilio-sim/schedule.h"
#include "tools/twilio-sim/voice/call.h"
#include "tools/twilio-sim/webhooks/webhook_sender.h"

namespace tocsin::sim {

constexpr size_t kDefaultKeptCalls = 200'000;  // including what was heard in each

// A response with a TwiML document, passed from the sending thread to the engine.
struct FetchedDocument {
  std::uint64_t call = 0;
  unsigned document = 0;  // number of the document (Conversation::documents)
  WebhookResponse response = {};
};

class Calls {
 public:
  Calls(std::uint64_t seed, size_t keep) : random_(RandomOf(seed)), store_(keep) {}

  Call& Add(const CallDraft& draft, PhoneScript phone, WallTime now);
  const Call* Find(std::uint64_t number) const { return store_.Find(number); }
  Call* Mutable(std::uint64_t number) { return store_.Mutable(number); }
  // Of any account. Null for a deleted call.
  Call* FindBySid(std::string_view sid);
  std::string SidOf(const Call& call) const;
  const NumberedStore<Call>& Store() const { return store_; }
  const SeededRandom& Random() const { return random_; }

  // Adds the next due time of the call.
  void Schedule(const Call& call);
  // A call that is due, or null.
  Call* PopDue(WallTime now);
  std::optional<WallTime> NextDue() const;

  void AddDocument(FetchedDocument document) { documents_.push_back(std::move(document)); }
  std::vector<FetchedDocument> TakeDocuments() { return std::exchange(documents_, {}); }

  // As Messages::Clear().
  void Clear(std::optional<std::uint64_t> seed);

 private:
  // Different from those of messages with the same numbers.
  static SeededRandom RandomOf(std::uint64_t seed) { return SeededRandom(Mix(seed + 1)); }

  SeededRandom random_;
  NumberedStore<Call> store_;
  sim::Schedule steps_;
  std::vector<FetchedDocument> documents_;
};

// The earliest due time of the call.
std::optional<WallTime> NextDueOf(const Call& call);

}  // namespace tocsin::sim
