// What every OpenTries must do, with the Claims that fill it. A world is that of ClaimsContract,
// and has
//   OpenTries& open_tries();
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/ports/open_tries.h"
#include "tests/common/ports/claims_contract.h"

namespace tocsin {

template <typename World>
class OpenTriesContract : public ClaimsContract<World> {
 protected:
  // What a callback tells of a try.
  static v1::Receipt CalledBack(const std::string& sid, v1::TryStatus status) {
    v1::Receipt receipt = OpenTriesContract::Accepted(sid);
    receipt.set_settled_by("callback");
    receipt.set_status(status);
    return receipt;
  }
  // Open tries that are looked at long after now.
  std::vector<OpenTry> Open(v1::Channel channel = v1::CHANNEL_SMS, std::size_t most = 100) {
    const auto tries = this->world.open_tries().Due(
        channel, SystemClock().Now() + std::chrono::hours(24 * 365), most);
    EXPECT_TRUE(tries) << tries.error().message;
    return tries ? tries->due : std::vector<OpenTry>();
  }
  void Note(const v1::TryName& name, bool ended, bool priced, std::optional<WallTime> again = {}) {
    Reconciled found;
    found.ended = ended;
    found.priced = priced;
    found.again = again;
    EXPECT_TRUE(this->world.open_tries().Note(v1::CHANNEL_SMS, name, found));
  }
};

TYPED_TEST_SUITE_P(OpenTriesContract);

TYPED_TEST_P(OpenTriesContract, KeepsATryOpenFromItsSidUntilItsEndAndItsPriceAreTold) {  // S3
  const ClaimRequest request = this->ARequest(this->AName());
  const std::string sid = this->ASid();
  const std::uint64_t fence = this->Take(request).fence;
  EXPECT_THAT(this->Open(), testing::IsEmpty());
  this->Keep(request.name, fence, this->Accepted(sid));
  ASSERT_THAT(this->Open(), testing::SizeIs(1));
  const OpenTry open = this->Open().front();
  EXPECT_EQ(open.name.SerializeAsString(), request.name.SerializeAsString());
  EXPECT_EQ(open.client_id, "client");
  EXPECT_EQ(open.receipt.provider_sid(), sid);
  ASSERT_TRUE(open.work);
  EXPECT_EQ(open.work->SerializeAsString(), request.work);
  EXPECT_FALSE(open.ended || open.priced || !open.holds_sid);
  this->Keep(request.name, 0, this->CalledBack(sid, v1::TRY_STATUS_DELIVERED));
  EXPECT_TRUE(this->Open().front().ended);
  this->Note(request.name, true, true);
  EXPECT_THAT(this->Open(), testing::IsEmpty());
  this->Keep(request.name, 0, this->CalledBack(sid, v1::TRY_STATUS_DELIVERED));
  EXPECT_THAT(this->Open(), testing::IsEmpty());
}

TYPED_TEST_P(OpenTriesContract, GivesOpenTriesOnlyWhenTheyAreToBeLookedAt) {
  const v1::TryName first = this->AName();
  const v1::TryName second = this->AName();
  for (const v1::TryName& name : {first, second})
    this->Keep(name, 0, this->CalledBack(this->ASid(), v1::TRY_STATUS_SENT));
  const WallTime now = SystemClock().Now();
  this->Note(first, false, true, now + std::chrono::hours(2));
  this->Note(second, false, false, now + std::chrono::hours(1));
  const auto due = this->world.open_tries().Due(v1::CHANNEL_SMS, now + std::chrono::hours(1), 100);
  ASSERT_TRUE(due);
  EXPECT_EQ(due->open, 2u);
  ASSERT_THAT(due->due, testing::SizeIs(1));
  EXPECT_EQ(due->due.front().name.alert_id(), second.alert_id());
  EXPECT_THAT(this->Open(v1::CHANNEL_SMS, 1), testing::SizeIs(1));
  EXPECT_TRUE(this->Open().back().priced);
}

TYPED_TEST_P(OpenTriesContract, KeepsOpenCallsApartFromOpenMessages) {
  this->Keep(this->AName(), 0, this->Accepted("CA" + MakeUuidV5(RandomBytes(16))));
  EXPECT_THAT(this->Open(), testing::IsEmpty());
  EXPECT_THAT(this->Open(v1::CHANNEL_VOICE), testing::SizeIs(1));
}

TYPED_TEST_P(OpenTriesContract, SaysOfAnOpenTryThatItsSidWentToAnother) {  // R4
  const std::string twins = this->ASid();
  const v1::TryName guessed = this->ADoubt(twins);
  const std::string sid = this->ASid();
  EXPECT_EQ(this->Settle(guessed, twins, {sid}), sid);
  EXPECT_TRUE(this->Open().front().holds_sid);
  this->Keep(this->AName(), 0, this->CalledBack(sid, v1::TRY_STATUS_SENT));
  ASSERT_THAT(this->Open(), testing::SizeIs(2));
  for (const OpenTry& open : this->Open())
    EXPECT_EQ(open.holds_sid, open.name.alert_id() != guessed.alert_id());
}

REGISTER_TYPED_TEST_SUITE_P(OpenTriesContract, KeepsATryOpenFromItsSidUntilItsEndAndItsPriceAreTold,
                            GivesOpenTriesOnlyWhenTheyAreToBeLookedAt,
                            KeepsOpenCallsApartFromOpenMessages,
                            SaysOfAnOpenTryThatItsSidWentToAnother);

}  // namespace tocsin
