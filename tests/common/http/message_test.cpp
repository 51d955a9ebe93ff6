#include "common/http/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::http {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(RequestTest, FindsAHeaderIgnoringCase) {
  const Request request{.headers = {{"X-Twilio-Signature", "abc"}}};
  EXPECT_EQ(request.Find("x-twilio-signature"), "abc");
  EXPECT_EQ(request.Find("x-twilio"), std::nullopt);
}

TEST(RequestTest, FindsNothingForARepeatedHeader) {
  const Request request{.headers = {{"A", "1"}, {"a", "1"}}};
  EXPECT_EQ(request.Find("A"), std::nullopt);
}

TEST(RequestTest, SplitsTheTargetAtTheFirstQuestionMarkWithoutDecoding) {
  const Request request{.target = "/a%20b?c=%64?e"};
  EXPECT_EQ(request.Path(), "/a%20b");
  EXPECT_EQ(request.Query(), "c=%64?e");
  EXPECT_EQ(Request{.target = "/a"}.Query(), "");
}

TEST(SerializeTest, Sends500ForInvalidHeaders) {
  for (const Header& header :
       {Header{"X", "a\r\nSet-Cookie: b"}, Header{"X: y\r\nZ", "a"}, Header{"", "a"},
        Header{"X", std::string("a\0b", 3)}, Header{"Content-Length", "3"},
        Header{"transfer-encoding", "x"}, Header{"Connection", "close"}}) {
    Response response{.body = "secret", .headers = {header}};
    EXPECT_EQ(Serialize(response, {}),
              "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(response.status, 500);
  }
  Response typed{.content_type = "text/plain\r\nX: y"};
  EXPECT_THAT(Serialize(typed, {}), StartsWith("HTTP/1.1 500 "));
  Response interim{.status = 101};
  EXPECT_THAT(Serialize(interim, {}), StartsWith("HTTP/1.1 500 "));
}

TEST(SerializeTest, WritesTheResponse) {
  Response response{.status = 201,
                    .content_type = "application/json",
                    .body = "{}",
                    .headers = {{"Allow", "POST"}}};
  EXPECT_EQ(Serialize(response, {}),
            "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
            "Allow: POST\r\n\r\n{}");
  EXPECT_THAT(Serialize(response, {.close = true}), HasSubstr("\r\nConnection: close\r\n"));
}

TEST(SerializeTest, OmitsTheBodyForHeadAndNoContent) {
  Response head{.body = "abc"};
  EXPECT_EQ(Serialize(head, {.omit_body = true}), "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n");
  Response no_content{.status = 204, .body = "abc"};
  const std::string wire = Serialize(no_content, {});
  EXPECT_THAT(wire, Not(HasSubstr("Content-Length")));
  EXPECT_THAT(wire, EndsWith("\r\n\r\n"));
}

}  // namespace
}  // namespace tocsin::http
