#include "tools/twilio-sim/voice/twiml.h"

#include <gmock/gmock.h>

#include <string>

namespace tocsin::sim {
namespace {

struct Bad {
  std::string name;
  std::string text;
  int code = kTwimlParseError;
};

class InvalidTwimlTest : public testing::TestWithParam<Bad> {};

TEST_P(InvalidTwimlTest, IsRefusedWithTwiliosCode) {  // Q2
  const auto verbs = ParseTwiml(GetParam().text);
  ASSERT_FALSE(verbs);
  EXPECT_EQ(verbs.error(), GetParam().code);
}

std::string Deep(int depth) {
  std::string text;
  for (int i = 0; i < depth; ++i) text += "<a>";
  for (int i = 0; i < depth; ++i) text += "</a>";
  return "<Response>" + text + "</Response>";
}

INSTANTIATE_TEST_SUITE_P(
    Documents, InvalidTwimlTest,
    testing::Values(Bad{"Empty", ""}, Bad{"Text", "hello"}, Bad{"OtherRoot", "<Answer/>"},
                    Bad{"Unclosed", "<Response><Say>x</Response>"},
                    Bad{"TwoRoots", "<Response/><Response/>"}, Bad{"TextAfter", "<Response/>x"},
                    Bad{"DocumentType", "<!DOCTYPE x><Response/>"},
                    Bad{"UnknownEntity", "<Response>&eacute;</Response>"},
                    Bad{"BareAmpersand", "<Response><Say>a & b</Say></Response>"},
                    Bad{"EntityOfNothing", "<Response>&#0;</Response>"},
                    Bad{"EntityTooBig", "<Response>&#x110000;</Response>"},
                    Bad{"EntitySurrogate", "<Response>&#xD800;</Response>"},
                    Bad{"EntityUnended", "<Response>&#65</Response>"},
                    Bad{"AttributeTwice", "<Response><Say a='1' a='2'/></Response>"},
                    Bad{"AttributeUnquoted", "<Response><Say a=1/></Response>"},
                    Bad{"AttributeUnended", "<Response><Say a=\"1"},
                    Bad{"CommentUnended", "<Response><!-- </Response>"},
                    Bad{"CdataUnended", "<Response><![CDATA[ </Response>"},
                    Bad{"NotUtf8", "<Response>\xFF</Response>"},
                    Bad{"NoCharacterFffe", "<Response><Say>\xEF\xBF\xBE</Say></Response>"},
                    Bad{"NoCharacterFfff", "<Response><Say a='\xEF\xBF\xBF'/></Response>"},
                    Bad{"NoCharacterByNumber", "<Response><Say>&#xFFFE;</Say></Response>"},
                    Bad{"ControlCharacter", "<Response><Say>\x01</Say></Response>"},
                    Bad{"TooDeep", Deep(kMaxTwimlDepth)},
                    Bad{"TooLarge", "<Response>" + std::string(kMaxTwiml, ' ') + "</Response>",
                        kTwimlTooLarge}),
    [](const auto& row) { return row.param.name; });

TEST(TwimlTest, ParsesVerbsAttributesAndNestedElements) {  // Q2
  const auto verbs = ParseTwiml(
      "\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- hello --><Response>\n"
      "<Gather action='/g?a=1&amp;b=2' numDigits=\"1\"><Say language=\"fr-CA\"> Appuyez &lt;1&gt; "
      "</Say><Pause/></Gather><Redirect>http://h/x</Redirect></Response>\n");
  ASSERT_TRUE(verbs);
  ASSERT_EQ(verbs->size(), 2U);
  const Verb& gather = verbs->front();
  EXPECT_EQ(gather.Attribute("action"), "/g?a=1&b=2");
  EXPECT_EQ(gather.Attribute("timeout", "5"), "5");
  ASSERT_EQ(gather.nested.size(), 2U);
  EXPECT_EQ(gather.nested[0].text, "Appuyez <1>");
  EXPECT_EQ(gather.nested[0].Attribute("language"), "fr-CA");
  EXPECT_EQ((*verbs)[1].text, "http://h/x");
}

TEST(TwimlTest, ParsesCharacterReferencesAndCdataAsText) {
  const auto verbs = ParseTwiml(
      "<Response><Say>&#233;&#x1F514;<![CDATA[<b>&amp;</b>]]><break/> end</Say></Response>");
  ASSERT_TRUE(verbs);
  EXPECT_EQ(verbs->front().text, "é🔔<b>&amp;</b> end");
}

TEST(TwimlTest, ParsesTheDeepestAndLargestAllowedDocuments) {
  EXPECT_TRUE(ParseTwiml(Deep(kMaxTwimlDepth - 1)));
  const std::string frame = "<Response></Response>";
  EXPECT_TRUE(
      ParseTwiml("<Response>" + std::string(kMaxTwiml - frame.size(), ' ') + "</Response>"));
}

}  // namespace
}  // namespace tocsin::sim
