#include "common/twilio/webhooks/signature.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

namespace tocsin::twilio {
namespace {

using nlohmann::json;
using testing::SizeIs;

struct Vector {
  std::string name;
  Secret token;
  std::string url;
  FormFields fields;
  std::optional<std::string> body;  // JSON
  std::optional<std::string> form;  // the fields, encoded
  std::string signature;
  bool valid = false;

  bool Verify() const {
    return body ? VerifyJson(token, url, *body, signature)
                : VerifyForm(token, url, fields, signature);
  }
};

std::vector<Vector> Vectors() {
  std::ifstream file(TOCSIN_TEST_DATA "/twilio-signature-vectors.json");
  std::vector<Vector> vectors;
  for (const json& entry : json::parse(file)) {
    Vector vector{.name = entry["name"],
                  .token = Secret(entry["auth_token"]),
                  .url = entry["url"],
                  .fields = {},
                  .body = std::nullopt,
                  .form = std::nullopt,
                  .signature = entry["signature"],
                  .valid = entry["valid"]};
    for (const json& pair : entry["params"]) vector.fields.emplace_back(pair[0], pair[1]);
    if (!entry["body"].is_null()) vector.body = entry["body"];
    if (!entry["form"].is_null()) vector.form = entry["form"];
    vectors.push_back(std::move(vector));
  }
  return vectors;
}

class SignatureVectorTest : public testing::TestWithParam<Vector> {};

// W1: the behaviour that Twilio's SDKs share.
TEST_P(SignatureVectorTest, HasTheResultOfTwiliosLibraries) {
  EXPECT_EQ(GetParam().Verify(), GetParam().valid);
}

TEST_P(SignatureVectorTest, HasTheSameResultFromItsEncodedForm) {
  if (!GetParam().form) return;
  Vector vector = GetParam();
  vector.fields = *FormDecode(*vector.form, 100);
  EXPECT_EQ(vector.Verify(), vector.valid);
}

TEST_P(SignatureVectorTest, FailsWhenOneByteOfTheUrlIsChanged) {
  if (!GetParam().valid) return;
  // Only the port is optional.
  const std::string& url = GetParam().url;
  const size_t begin = url.find("://") + 3;
  const size_t end = std::min(url.find_first_of("/?", begin), url.size());
  const size_t at = url.rfind('@', end);
  const size_t host = at != std::string::npos && at > begin ? at : begin;
  const size_t port = std::min(url.find(':', host), end);
  for (size_t i = 0; i < url.size(); ++i) {
    if (i >= port && i < end) continue;
    Vector changed = GetParam();
    changed.url[i] = static_cast<char>(changed.url[i] ^ 1);
    EXPECT_FALSE(changed.Verify()) << i << " of " << url;
  }
}

TEST_P(SignatureVectorTest, FailsWhenOneByteOfAParameterOrTheBodyIsChanged) {
  if (!GetParam().valid) return;
  const auto flip = [](std::string& text) {
    if (text.empty()) return false;
    text.back() = static_cast<char>(text.back() ^ 1);
    return true;
  };
  for (size_t i = 0; i < GetParam().fields.size(); ++i) {
    if (std::ranges::count(GetParam().fields, GetParam().fields[i]) > 1) continue;  // signed once
    Vector name = GetParam();
    Vector value = GetParam();
    EXPECT_TRUE(!flip(name.fields[i].first) || !name.Verify()) << "name " << i;
    EXPECT_TRUE(!flip(value.fields[i].second) || !value.Verify()) << "value " << i;
  }
  Vector changed = GetParam();
  if (changed.body) {
    *changed.body += ' ';
    EXPECT_FALSE(changed.Verify());
  }
  changed = GetParam();
  if (!changed.body) {
    changed.fields.emplace_back("Added", "");
    EXPECT_FALSE(changed.Verify());
  }
}

TEST_P(SignatureVectorTest, FailsWhenOneByteOfTheSignatureOrTokenIsChanged) {
  if (!GetParam().valid) return;
  for (size_t i = 0; i < GetParam().signature.size(); ++i) {
    Vector changed = GetParam();
    changed.signature[i] = changed.signature[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(changed.Verify()) << i;
  }
  Vector changed = GetParam();
  changed.token = Secret(changed.token.Reveal() + "0");
  EXPECT_FALSE(changed.Verify());
}

INSTANTIATE_TEST_SUITE_P(Vectors, SignatureVectorTest, testing::ValuesIn(Vectors()),
                         [](const auto& row) {
                           std::string name = std::to_string(row.index) + "_";
                           for (const char c : row.param.name)
                             if (std::isalnum(static_cast<unsigned char>(c))) name += c;
                           return name;
                         });

const Secret kToken("12345");
const std::string kUrl = "https://alerts.example.org/in?a=b";
const FormFields kFields{{"To", "+15145550123"}, {"Body", "x"}};

TEST(Signature, Has64Vectors) { EXPECT_THAT(Vectors(), SizeIs(64)); }

TEST(Signature, VerifiesWhatItSigned) {
  EXPECT_TRUE(VerifyForm(kToken, kUrl, kFields, Sign(kToken, kUrl, kFields)));
  const std::string url = WithBodyHash(kUrl, "{}");
  EXPECT_TRUE(VerifyJson(kToken, url, "{}", Sign(kToken, url, {})));
  const std::string bare = WithBodyHash("https://h/p", "{}");
  EXPECT_TRUE(VerifyJson(kToken, bare, "{}", Sign(kToken, bare, {})));
}

TEST(Signature, IsNeverValidForAnEmptyToken) {
  const Secret none;
  EXPECT_FALSE(VerifyForm(none, kUrl, kFields, Sign(none, kUrl, kFields)));
  Account account{.sid = "AC1", .auth_token = kToken, .secondary_auth_token = {}};
  EXPECT_EQ(SigningTokenOfForm(account, kUrl, kFields, Sign(none, kUrl, kFields)),
            records::v1::SIGNING_TOKEN_UNSPECIFIED);
}

TEST(Signature, DoesNotCoverTheFragment) {
  EXPECT_TRUE(VerifyForm(kToken, kUrl + "#rc=5&rp=all", kFields, Sign(kToken, kUrl, kFields)));
  EXPECT_EQ(Sign(kToken, kUrl + "#rc=5", kFields), Sign(kToken, kUrl, kFields));
}

TEST(Signature, IsValidWithoutUserAndPassword) {
  EXPECT_TRUE(VerifyForm(kToken, "https://user:pass@alerts.example.org/in?a=b", kFields,
                         Sign(kToken, kUrl, kFields)));
}

TEST(Signature, RecognisesThePortOfAnIpv6Host) {
  const auto signature = Sign(kToken, "https://[::1]/in", kFields);
  EXPECT_TRUE(VerifyForm(kToken, "https://[::1]:8443/in", kFields, signature));
  EXPECT_TRUE(VerifyForm(kToken, "https://[::1]/in", kFields, signature));
}

TEST(Signature, OfAJsonBodyNeedsItsLowerCaseHashFirstInTheQuery) {
  const std::string valid = WithBodyHash("https://h/p", "{}");
  const auto verify = [&](const std::string& url) {
    return VerifyJson(kToken, url, "{}", Sign(kToken, url, {}));
  };
  EXPECT_TRUE(verify(valid + "&bodySHA256=00"));
  EXPECT_FALSE(verify("https://h/p"));
  EXPECT_FALSE(verify("https://h/p?bodySHA256"));
  EXPECT_FALSE(verify("https://h/p?bodySHA256="));
  EXPECT_FALSE(verify("https://h/p?bodySHA256=00&" + valid.substr(valid.find('?') + 1)));
  std::string upper = valid;
  for (size_t i = upper.find('=') + 1; i < upper.size(); ++i)
    upper[i] = static_cast<char>(std::toupper(upper[i]));
  EXPECT_FALSE(verify(upper));
}

TEST(Signature, ReplacesTheHashOfAnotherBody) {
  const std::string hash = WithBodyHash("https://h/p", "{}").substr(std::strlen("https://h/p?"));
  for (const auto& [url, kept] : std::vector<std::pair<std::string, std::string>>{
           {"https://h/p?bodySHA256=old", "https://h/p?"},
           {"https://h/p?a=1&bodySHA256=old&b=%20", "https://h/p?a=1&b=%20&"},
           {"https://h/p?bodySHA256&bodySHA256=x&a=1", "https://h/p?a=1&"},
           {"https://h/p?bodySHA2567=1", "https://h/p?bodySHA2567=1&"},
           {WithBodyHash("https://h/p?a=1", "[]"), "https://h/p?a=1&"}}) {
    const std::string hashed = WithBodyHash(url, "{}");
    EXPECT_EQ(hashed, kept + hash);
    EXPECT_TRUE(VerifyJson(Secret("token"), hashed, "{}", Sign(Secret("token"), hashed, {})));
  }
}

// W3: both tokens are valid during a rotation.
TEST(Signature, NamesTheTokenOfTheAccountThatMadeIt) {
  const Account account{
      .sid = "AC1", .auth_token = Secret("first"), .secondary_auth_token = Secret("second")};
  const auto form = [&](const char* token) {
    return SigningTokenOfForm(account, kUrl, kFields, Sign(Secret(token), kUrl, kFields));
  };
  EXPECT_EQ(form("first"), records::v1::SIGNING_TOKEN_PRIMARY);
  EXPECT_EQ(form("second"), records::v1::SIGNING_TOKEN_SECONDARY);
  EXPECT_EQ(form("third"), records::v1::SIGNING_TOKEN_UNSPECIFIED);
  const std::string url = WithBodyHash(kUrl, "{}");
  EXPECT_EQ(SigningTokenOfJson(account, url, "{}", Sign(Secret("second"), url, {})),
            records::v1::SIGNING_TOKEN_SECONDARY);
  EXPECT_EQ(SigningTokenOfJson(account, url, "{ }", Sign(Secret("first"), url, {})),
            records::v1::SIGNING_TOKEN_UNSPECIFIED);
}

// W1: a request with another signature algorithm is not verified with this one.
TEST(Signature, RecognisesOtherAlgorithms) {
  EXPECT_TRUE(IsSignedByToken(""));
  EXPECT_TRUE(IsSignedByToken("key=webhooks_sharedkey_1"));
  EXPECT_TRUE(IsSignedByToken("key=1, algorithm=HMAC_SHA1"));
  for (const char* other :
       {"key=1,algorithm=HMAC_SHA256", "algorithm=none", "algorithm=", "algorithm",
        "algorithm=HMAC_SHA1,algorithm=none", ",  algorithm=hmac_sha1"})
    EXPECT_FALSE(IsSignedByToken(other)) << other;
}

TEST(Signature, OfAnUnusualUrlCoversItUnchanged) {
  for (const char* url : {"", "no scheme", "https://", "https://?", "https://:", "x://h:1#"})
    EXPECT_TRUE(VerifyForm(kToken, url, kFields, Sign(kToken, url, kFields))) << url;
}

}  // namespace
}  // namespace tocsin::twilio
