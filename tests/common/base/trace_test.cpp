#include "common/base/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

using testing::MatchesRegex;

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

class InvalidTraceparentTest : public testing::TestWithParam<std::string> {};

TEST_P(InvalidTraceparentTest, IsRefusedAndANewTraceIsStarted) {  // O3
  EXPECT_FALSE(TraceContext::Parse(GetParam()));
  EXPECT_NE(TraceContext::Continue(GetParam()).trace_id(), TRACE);
}

INSTANTIATE_TEST_SUITE_P(
    Headers, InvalidTraceparentTest,
    testing::Values(
        "", "00", "00-" TRACE "-" SPAN, "00-" TRACE "-" SPAN "-", "00-" TRACE "-" SPAN "-0",
        "00-" TRACE "-" SPAN "-01-", "00-" TRACE "-" SPAN "-01-extra", "00-" TRACE "-" SPAN "-012",
        " 00-" TRACE "-" SPAN "-01", "00-" TRACE "-" SPAN "-01 ", "ff-" TRACE "-" SPAN "-01",
        "0g-" TRACE "-" SPAN "-01", "00-" TRACE "-" SPAN "-0g", "0-" TRACE "-" SPAN "-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01", "00-" TRACE "-00F067AA0BA902B7-01",
        "00-" TRACE "-" SPAN "-0A", "00-00000000000000000000000000000000-" SPAN "-01",
        "00-" TRACE "-0000000000000000-01", "00_" TRACE "_" SPAN "_01", "01-" TRACE "-" SPAN "-01x",
        "01-" TRACE "-" SPAN "-01.extra", "00-" TRACE "-" SPAN "-01\n", std::string(100'000, '0')));

struct GoodCase {
  std::string header;
  bool sampled;
};

class ValidTraceparentTest : public testing::TestWithParam<GoodCase> {};

TEST_P(ValidTraceparentTest, IsParsed) {
  const auto trace = TraceContext::Parse(GetParam().header);
  ASSERT_TRUE(trace);
  EXPECT_EQ(trace->trace_id(), TRACE);
  EXPECT_EQ(trace->span_id(), SPAN);
  EXPECT_EQ(trace->sampled(), GetParam().sampled);
}

INSTANTIATE_TEST_SUITE_P(Headers, ValidTraceparentTest,
                         testing::Values(GoodCase{"00-" TRACE "-" SPAN "-01", true},
                                         GoodCase{"00-" TRACE "-" SPAN "-00", false},
                                         GoodCase{"00-" TRACE "-" SPAN "-02", false},
                                         GoodCase{"00-" TRACE "-" SPAN "-ff", true},
                                         GoodCase{"cc-" TRACE "-" SPAN "-01", true},
                                         GoodCase{"cc-" TRACE "-" SPAN "-01-what", true}));

TEST(TraceContextTest, AChildHasTheSameTraceIdAndItsOwnSpanId) {
  const auto parent = TraceContext::Parse("00-" TRACE "-" SPAN "-00");
  const TraceContext child = parent->Child();
  EXPECT_EQ(child.trace_id(), TRACE);
  EXPECT_NE(child.span_id(), SPAN);
  EXPECT_EQ(child.parent_id(), SPAN);
  EXPECT_EQ(parent->parent_id(), "");
  EXPECT_FALSE(child.sampled());
  EXPECT_EQ(TraceContext::Continue("00-" TRACE "-" SPAN "-01").trace_id(), TRACE);
}

TEST(TraceContextTest, ANewTraceIsValidSampledAndUnique) {
  const TraceContext one = TraceContext::New(), two = TraceContext::New();
  EXPECT_THAT(one.Text(), MatchesRegex("00-[0-9a-f]{32}-[0-9a-f]{16}-01"));
  EXPECT_EQ(TraceContext::Parse(one.Text())->Text(), one.Text());
  EXPECT_NE(one.trace_id(), two.trace_id());
}

}  // namespace
}  // namespace tocsin
