#include "tools/twilio-sim/webhooks/callback_url.h"

#include <gmock/gmock.h>

#include "tools/twilio-sim/webhooks/signature.h"

namespace tocsin::sim {
namespace {

using std::chrono::milliseconds;

TEST(CallbackUrlTest, RemovesTheFragmentAndParsesItsOverrides) {
  const auto url =
      ParseCallbackUrl("http://127.0.0.1:80/a?b=c#rc=5&rp=4xx,rt&rt=3000&ct=50&tt=9000");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->request, "http://127.0.0.1:80/a?b=c");
  EXPECT_EQ(url->signed_text, url->request);
  EXPECT_EQ(url->overrides.retries, 5);
  EXPECT_TRUE(url->overrides.on_4xx);
  EXPECT_TRUE(url->overrides.on_read);
  EXPECT_FALSE(url->overrides.on_connect);
  EXPECT_FALSE(url->overrides.on_5xx);
  EXPECT_EQ(url->overrides.read, milliseconds(3000));
  EXPECT_EQ(url->overrides.total, milliseconds(9000));
  EXPECT_EQ(url->overrides.connect, milliseconds(5000)) << "50 is out of range";
}

TEST(CallbackUrlTest, RetriesOnceAfterAConnectFailureByDefault) {
  const auto url = ParseCallbackUrl("https://example.org");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->overrides.retries, 1);
  EXPECT_TRUE(url->overrides.on_connect);
  EXPECT_FALSE(url->overrides.on_read || url->overrides.on_4xx || url->overrides.on_5xx);
}

TEST(CallbackUrlTest, IsSignedWithoutUserAndPassword) {
  const auto url = ParseCallbackUrl("https://user:pass@example.org:8443/x");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->signed_text, "https://example.org:8443/x");
  EXPECT_TRUE(url->has_userinfo);
}

TEST(CallbackUrlTest, IsLoopbackForLiteralAddressesAndLocalhostOnly) {
  const auto loopback = [](const char* text) { return ParseCallbackUrl(text)->IsLoopback(); };
  EXPECT_TRUE(loopback("http://127.0.0.1:8080/"));
  EXPECT_TRUE(loopback("http://[::1]:8080/"));
  EXPECT_TRUE(loopback("http://LocalHost/"));
  EXPECT_FALSE(loopback("http://127.0.0.1.example.org/"));
  EXPECT_FALSE(loopback("http://10.0.0.1/"));
  EXPECT_FALSE(loopback("http://localhost@example.org/"));
}

TEST(CallbackUrlTest, RefusesInvalidUrls) {
  for (const char* text :
       {"", "x", "ftp://a/", "http://", "http:///x", "http://a_b/", "http://a:0/",
        "http://a:99999/", "http://a b/", "http://-a/", "http://[::1/"}) {
    EXPECT_FALSE(ParseCallbackUrl(text)) << text;
  }
}

TEST(SignatureTest, MatchesTwiliosVectors) {  // W1
  const Secret token("12345");
  const std::string url = "https://mycompany.com/myapp.php?foo=1&bar=2";
  FormFields call = {{"CallSid", "CA1234567890ABCDE"},
                     {"Caller", "+14158675309"},
                     {"Digits", "1234"},
                     {"From", "+14158675309"},
                     {"To", "+18005551212"}};
  EXPECT_EQ(Sign(token, url, call), "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
  EXPECT_EQ(Sign(token, url, {}), "zYQTYrRWXE7LtzbG4PfP7/bkkGo=");
  EXPECT_EQ(Sign(token, url,
                 {{"Sid", "CA123"},
                  {"SidAccount", "AC123"},
                  {"Digits", "5678"},
                  {"Digits", "1234"},
                  {"Digits", "1234"}}),
            "IK+Dwps556ElfBT0I3Rgjkr1wJU=");
  EXPECT_EQ(
      Sign(token, url, {{"Digits", ""}, {"CallSid", "CA1234567890ABCDE"}, {"EmptyParam", ""}}),
      "9HHp/OqQMEwdrVebHDdA/+tqjX8=");
  call.emplace_back("Reason", "Participant");
  call.emplace_back("ReasonConferenceEnded", "test");
  EXPECT_EQ(Sign(token, url, call), "vOEb5UThFn24KEfnOFLQY2AE5FY=");
}

}  // namespace
}  // namespace tocsin::sim
