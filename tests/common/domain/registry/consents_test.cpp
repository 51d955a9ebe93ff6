#include "common/domain/registry/consents.h"

#include <gtest/gtest.h>

namespace tocsin {
namespace {

TEST(ConsentBookTest, KeepsTheLatestObservationInAnyOrderOfArrival) {  // S4
  const auto saw = [](records::v1::ConsentState state, std::int64_t at) {
    records::v1::ConsentRecord consent;
    consent.mutable_recipient()->set_token("t");
    consent.set_sender_address("+1");
    consent.set_state(state);
    consent.set_observe_time_us(at);
    return consent;
  };
  ConsentBook book;
  book.Apply(saw(records::v1::CONSENT_STATE_OPTED_IN, 20));
  book.Apply(saw(records::v1::CONSENT_STATE_OPTED_OUT, 10));
  EXPECT_FALSE(book.OptedOut("t", "+1"));
  book.Apply(saw(records::v1::CONSENT_STATE_OPTED_OUT, 20));  // at the same time the opt-out wins
  book.Apply(saw(records::v1::CONSENT_STATE_OPTED_IN, 20));
  EXPECT_TRUE(book.OptedOut("t", "+1"));
  EXPECT_FALSE(book.OptedOut("t", "+2"));
}

}  // namespace
}  // namespace tocsin
