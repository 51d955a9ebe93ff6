#include "common/domain/message/nanp_region.h"

#include <gtest/gtest.h>
#include <phonenumbers/phonenumberutil.h>

#include <random>

#include "common/domain/message/phone.h"

namespace tocsin {
namespace {

namespace lib = i18n::phonenumbers;

std::string RegionByLibrary(const std::string& e164) {
  const lib::PhoneNumberUtil& util = *lib::PhoneNumberUtil::GetInstance();
  lib::PhoneNumber number;
  EXPECT_EQ(util.Parse(e164, "ZZ", &number), lib::PhoneNumberUtil::NO_PARSING_ERROR);
  EXPECT_TRUE(util.IsPossibleNumber(number));
  std::string region;
  util.GetRegionCodeForNumber(number, &region);
  return region == "ZZ" ? "US" : region;
}

// Every number shares its first six digits with another one, so that both computed and cached
// results are compared.
TEST(NanpRegionTest, AgreesWithLibphonenumber) {  // S1
  std::mt19937 random(20'260'101);
  std::uniform_int_distribution<std::uint64_t> prefixes(200'000, 999'999);
  std::uniform_int_distribution<std::uint64_t> rests(0, 9'999);
  for (int i = 0; i < 4'000; ++i) {
    const std::string prefix = std::to_string(prefixes(random));
    for (int j = 0; j < 2; ++j) {
      const std::string national = prefix + std::to_string(10'000 + rests(random)).substr(1);
      const auto phone = Phone::Parse("+1" + national);
      ASSERT_TRUE(phone) << national;
      ASSERT_EQ(phone->RegionCode(), RegionByLibrary("+1" + national)) << national;
      ASSERT_EQ(phone->E164(), "+1" + national);
    }
  }
}

TEST(NanpRegionTest, DistinguishesTheCountriesOfTheNumberingPlan) {
  EXPECT_EQ(NanpRegion("5145550123"), "CA");
  EXPECT_EQ(NanpRegion("8764550123"), "JM");
  EXPECT_EQ(NanpRegion("2424550123"), "BS");
  EXPECT_EQ(NanpRegion("5005550006"), "US");
}

}  // namespace
}  // namespace tocsin
