#include "common/base/error.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "common/base/result.h"
#include "common/base/secret.h"

namespace tocsin {
namespace {

TEST(ErrorTest, EveryCodeHasAUniqueNameThatMapsBackToIt) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    const ErrorTraits traits = TraitsOf(code);
    EXPECT_TRUE(names.insert(traits.name).second) << traits.name;
    EXPECT_EQ(ErrorCodeNamed(traits.name), code);
    EXPECT_EQ(traits.retryable, traits.http_status == 503 || traits.http_status == 429)
        << traits.name;
  }
  EXPECT_EQ(ErrorCodeNamed("NO_SUCH_REASON"), std::nullopt);
}

Result<int> Half(int number) {
  if (number % 2 != 0) return Fail(ErrorCode::kInvalidArgument, "odd", "number");
  return number / 2;
}
Result<int> Quarter(int number) {
  TOCSIN_TRY(const int half, Half(number));
  return Half(half);
}

TEST(ResultTest, MacroReturnsTheFirstError) {
  EXPECT_EQ(Quarter(8), 2);
  EXPECT_EQ(Quarter(7).error().field, "number");
  EXPECT_EQ(Quarter(6).error().code, ErrorCode::kInvalidArgument);
}

TEST(SecretTest, PrintsItsLengthOnly) {  // P3
  std::ostringstream out;
  out << Secret("hunter2") << ' ' << Pii("+15145550123");
  EXPECT_EQ(out.str(), "[7 hidden] [12 hidden]");
}

}  // namespace
}  // namespace tocsin
