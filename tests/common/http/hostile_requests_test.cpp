// Invalid and ambiguous requests, and unusual valid ones (RFC 9112). Each row is sent over a socket
// and followed by a second, valid request, which must never be read after an error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "common/http/request_parser.h"
#include "common/http/server.h"
#include "tests/common/http/client.h"

namespace tocsin::http {
namespace {

constexpr size_t kMaxBody = 1024;
constexpr std::string_view kSecond = "GET /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

struct Row {
  std::string name;
  std::string request;
  int status;
  bool truncated = false;  // the client shuts down its sending side; nothing follows
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

std::string Get(const std::string& rest) {
  return "GET /x HTTP/1.1\r\nHost: a\r\n" + rest + "\r\n";
}
std::string Post(const std::string& headers, const std::string& body) {
  return "POST /x HTTP/1.1\r\nHost: a\r\n" + headers + "\r\n" + body;
}
std::string Chunked(const std::string& body) {
  return Post("Transfer-Encoding: chunked\r\n", body);
}
std::string EmptyLines(size_t count) {
  std::string lines;
  for (size_t i = 0; i < count; ++i) lines += "\r\n";
  return lines;
}
std::string Nul() { return std::string(1, '\0'); }

const std::vector<Row> kRequestLines = {
    {"TooManyEmptyLines", EmptyLines(kMaxEmptyLines + 1) + Get(""), 400},
    {"EndlessEmptyLines", EmptyLines(1000), 400},
    {"BareLfFirst", "\n" + Get(""), 400},
    {"BareCrFirst", "\r" + Get(""), 400},
    {"EmptyLineThenBareLf", "\r\n\n" + Get(""), 400},
    {"NoVersion", "GET /x\r\nHost: a\r\n\r\n", 400},
    {"Http09", "GET /x\r\n\r\n", 400},
    {"EmptyVersion", "GET /x \r\nHost: a\r\n\r\n", 400},
    {"CutVersion", "GET /x HTTP/1.\r\nHost: a\r\n\r\n", 400},
    {"CutProtocol", "GET /x HTTP\r\nHost: a\r\n\r\n", 400},
    {"LowerCaseProtocol", "GET /x http/1.1\r\nHost: a\r\n\r\n", 400},
    {"OtherProtocol", "GET /x HTTQ/1.1\r\nHost: a\r\n\r\n", 400},
    {"VersionWithSign", "GET /x HTTP/+1.1\r\nHost: a\r\n\r\n", 400},
    {"VersionOfThreeDigits", "GET /x HTTP/1.10\r\nHost: a\r\n\r\n", 400},
    {"VersionThenBlank", "GET /x HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
    {"Version12", "GET /x HTTP/1.2\r\nHost: a\r\n\r\n", 505},
    {"Version20", "GET /x HTTP/2.0\r\nHost: a\r\n\r\n", 505},
    {"Version09", "GET /x HTTP/0.9\r\nHost: a\r\n\r\n", 505},
    {"Http2Preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    {"NoMethod", " /x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"MethodWithBadChar", "GE(T /x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"MethodWithNul", "GE" + Nul() + "T /x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"TwoBlanks", "GET  /x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"TabForBlank", "GET\t/x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"BlankInTarget", "GET /x y HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"TlsHello", "\x16\x03\x01\x02" + Nul() + "\x01\x01", 400},
};

const std::vector<Row> kTargets = {
    {"AbsoluteForm", "GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"AuthorityForm", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 400},
    {"AsteriskForm", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"TargetWithoutSlash", "GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"FragmentInTarget", "GET /x#y HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"NulInTarget", "GET /x" + Nul() + "y HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"ControlInTarget", "GET /x\x01y HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"DeleteInTarget", "GET /x\x7fy HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"RawUtf8InTarget", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"TargetTooLong", "GET /" + std::string(9000, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
    {"EndlessMethod", std::string(9000, 'X'), 414},
};

const std::vector<Row> kLineEnds = {
    {"BareLfOnly", "GET /x HTTP/1.1\nHost: a\n\n", 400},
    {"BareLfInHeaders", "GET /x HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400},
    {"BareLfAtTheEnd", "GET /x HTTP/1.1\r\nHost: a\r\n\n", 400},
    {"BareCr", "GET /x HTTP/1.1\rHost: a\r\n\r\n", 400},
    {"BareCrInValue", Get("X: a\rb\r\n"), 400},
    {"CrCrLf", Get("X: a\r\r\n"), 400},
};

const std::vector<Row> kHeaders = {
    {"NoColon", Get("Nonsense\r\n"), 400},
    {"EmptyName", Get(": x\r\n"), 400},
    {"BlankBeforeColon", Get("X : y\r\n"), 400},
    {"TabBeforeColon", Get("X\t: y\r\n"), 400},
    {"BlankInName", Get("X Y: z\r\n"), 400},
    {"ObsFold", Get("X: a\r\n b\r\n"), 400},
    {"ObsFoldByTab", Get("X: a\r\n\tb\r\n"), 400},
    {"FoldedFirstHeader", "GET /x HTTP/1.1\r\n Host: a\r\nHost: a\r\n\r\n", 400},
    {"NulInName", Get("X" + Nul() + "Y: z\r\n"), 400},
    {"NulInValue", Get("X: a" + Nul() + "b\r\n"), 400},
    {"EscapeInValue", Get("X: \x1b[2J\r\n"), 400},
    {"DeleteInValue", Get("X: \x7f\r\n"), 400},
    {"HighByteInName", Get("X\xc3\xa9: y\r\n"), 400},
    {"BraceInName", Get("X{}: y\r\n"), 400},
    {"HeaderTooLarge", Get("X: " + std::string(9000, 'y') + "\r\n"), 431},
    {"TooManyHeaders",
     [] {
       std::string many;
       for (int i = 0; i < 64; ++i) many += "X: y\r\n";
       return Get(many);
     }(),
     431},
};

const std::vector<Row> kHosts = {
    {"NoHost", "GET /x HTTP/1.1\r\n\r\n", 400},
    {"TwoHosts", Get("Host: b\r\n"), 400},
    {"SameHostTwice", Get("host: a\r\n"), 400},
    {"EmptyHost", "GET /x HTTP/1.1\r\nHost:\r\n\r\n", 400},
    {"HostWithPath", "GET /x HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
    {"HostWithUser", "GET /x HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
    {"HostList", "GET /x HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
};

const std::vector<Row> kLengths = {
    {"LengthGarbage", Post("Content-Length: abc\r\n", "abc"), 400},
    {"LengthEmpty", Post("Content-Length:\r\n", "abc"), 400},
    {"LengthNegative", Post("Content-Length: -1\r\n", "abc"), 400},
    {"LengthWithPlus", Post("Content-Length: +3\r\n", "abc"), 400},
    {"LengthHex", Post("Content-Length: 0x3\r\n", "abc"), 400},
    {"LengthFraction", Post("Content-Length: 3.0\r\n", "abc"), 400},
    {"LengthWithBlank", Post("Content-Length: 1 3\r\n", "abc"), 400},
    {"LengthList", Post("Content-Length: 3, 3\r\n", "abc"), 400},
    {"LengthTwice", Post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), 400},
    {"LengthTwiceOther", Post("Content-Length: 3\r\nContent-Length: 4\r\n", "abc"), 400},
    {"LengthColonBlank", Post("Content-Length : 3\r\n", "abc"), 400},
    {"LengthOverflow", Post("Content-Length: 18446744073709551619\r\n", "abc"), 400},
    {"LengthHuge", Post("Content-Length: 9223372036854775807\r\n", "abc"), 413},
    {"LengthOneTooMany", Post("Content-Length: 1025\r\n", std::string(1025, 'x')), 413},
};

const std::vector<Row> kCodings = {
    {"ExpectUnknown", Post("Expect: a-miracle\r\nContent-Length: 3\r\n", "abc"), 417},
    {"LengthAndChunked", Post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
     400},
    {"ChunkedAndLength", Post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
     400},
    {"GzipAndLength", Post("Transfer-Encoding: gzip\r\nContent-Length: 3\r\n", "abc"), 400},
    {"ChunkedTwice",
     Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
    {"ChunkedListTwice", Post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), 501},
    {"CodingUnknown", Post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 501},
    {"CodingIdentity", Post("Transfer-Encoding: identity\r\n", "abc"), 501},
    {"CodingGzipChunked", Post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501},
    {"CodingEmpty", Post("Transfer-Encoding:\r\n", "0\r\n\r\n"), 501},
    {"ChunkedOn10", "POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
};

const std::vector<Row> kChunks = {
    {"ChunkSizeGarbage", Chunked("zz\r\nabc\r\n0\r\n\r\n"), 400},
    {"ChunkSizeNegative", Chunked("-1\r\nabc\r\n0\r\n\r\n"), 400},
    {"ChunkSizeWithPrefix", Chunked("0x3\r\nabc\r\n0\r\n\r\n"), 400},
    {"ChunkSizeEmpty", Chunked("\r\nabc\r\n0\r\n\r\n"), 400},
    {"ChunkSizeOverflow", Chunked("10000000000000003\r\nabc\r\n0\r\n\r\n"), 400},
    {"ChunkSizeHuge", Chunked("7fffffffffffffff\r\nabc\r\n0\r\n\r\n"), 413},
    {"ChunksOverTheLimit", Chunked("400\r\n" + std::string(1024, 'x') + "\r\n1\r\nx\r\n0\r\n\r\n"),
     413},
    {"ChunkLongerThanSaid", Chunked("3\r\nabcd\r\n0\r\n\r\n"), 400},
    {"ChunkWithBareLf", Chunked("3\nabc\n0\n\n"), 400},
    {"ChunkSizeWithBareLf", Chunked("3\nabc\r\n0\r\n\r\n"), 400},
    {"ChunkDataWithBareLf", Chunked("3\r\nabc\n0\r\n\r\n"), 400},
    {"TrailerWithBareLf", Chunked("0\r\nX: y\n\r\n"), 400},
    {"ChunkExtensionEndless", Chunked("3;" + std::string(9000, 'x')), 400},
    {"TrailersEndless", Chunked("0\r\n" + std::string(9000, 'x')), 400},
    {"TrailerWithoutColon", Chunked("0\r\nNonsense\r\n\r\n"), 400},
    {"LengthInTrailer", Chunked("0\r\nContent-Length: 3\r\n\r\n"), 400},
};

const std::vector<Row> kTruncated = {
    {"CutInRequestLine", "GET /x HT", 400, true},
    {"CutInHeaders", "GET /x HTTP/1.1\r\nHost: a\r\nX-", 400, true},
    {"CutBeforeTheEnd", "GET /x HTTP/1.1\r\nHost: a\r\n", 400, true},
    {"CutInBody", Post("Content-Length: 3\r\n", "ab"), 400, true},
    {"CutInChunk", Chunked("3\r\nab"), 400, true},
    {"CutBeforeLastChunk", Chunked("3\r\nabc\r\n"), 400, true},
};

const std::vector<Row> kValid = {
    {"Plain", Get(""), 200},
    {"EmptyLineFirst", "\r\n" + Get(""), 200},
    {"EmptyLinesFirst", EmptyLines(kMaxEmptyLines) + Get(""), 200},
    {"UnknownMethod", "BREW /x HTTP/1.1\r\nHost: a\r\n\r\n", 200},
    {"QueryKeptAsItIs", "GET /x?b=2&a=%31&b=+ HTTP/1.1\r\nHost: a\r\n\r\n", 200},
    {"HostWithPort", "GET /x HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 200},
    {"ValueWithTabAndUtf8", Get("X: \t caf\xc3\xa9\tx \r\n"), 200},
    {"EmptyValue", Get("X:\r\n"), 200},
    {"EmptyBody", Post("Content-Length: 0\r\n", ""), 200},
    {"LargestBody", Post("Content-Length: 1024\r\n", std::string(1024, 'x')), 200},
    {"LengthWithZeros", Post("Content-Length: 003\r\n", "abc"), 200},
    {"Chunks", Chunked("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), 200},
    {"ChunkedUpperCase", Post("Transfer-Encoding: Chunked\r\n", "A\r\n0123456789\r\n0\r\n\r\n"),
     200},
    {"NoChunks", Chunked("0\r\n\r\n"), 200},
    {"ChunkExtension", Chunked("3;a=b;c=\"d\"\r\nabc\r\n0;e\r\n\r\n"), 200},
    {"Trailers", Chunked("3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"), 200},
    {"LargestChunk", Chunked("400\r\n" + std::string(1024, 'x') + "\r\n0\r\n\r\n"), 200},
};

class HostileRequestsTest : public testing::TestWithParam<Row> {
 protected:
  HostileRequestsTest() {
    auto started = Server::Start({.threads = 1, .max_body = kMaxBody},
                                 [this](const Request&, Responder responder) {
                                   ++handled;
                                   responder.Send({.content_type = "text/plain", .body = "ok"});
                                 });
    server = *std::move(started);
  }

  std::atomic<int> handled = 0;
  std::unique_ptr<Server> server;
};

class RejectedTest : public HostileRequestsTest {};
class AcceptedTest : public HostileRequestsTest {};

TEST_P(RejectedTest, GetsOneErrorAndNothingAfterItIsRead) {
  Client client(server->port());
  client.Send(GetParam().request);
  if (GetParam().truncated) {
    client.FinishSending();
  } else {
    client.Send(kSecond);
  }
  const auto response = client.Read();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, GetParam().status);
  EXPECT_THAT(response->header, testing::HasSubstr("Connection: close"));
  EXPECT_TRUE(client.SeesClose());
  EXPECT_EQ(handled, 0);
}

TEST_P(RejectedTest, GetsTheSameErrorByteByByte) {
  Client client(server->port());
  for (const char& byte : GetParam().request) client.Send({&byte, 1});
  if (GetParam().truncated) {
    client.FinishSending();
  } else {
    client.Send(kSecond);
  }
  const auto response = client.Read();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, GetParam().status);
  EXPECT_TRUE(client.SeesClose());
  EXPECT_EQ(handled, 0);
}

TEST_P(AcceptedTest, GetsAResponseAndSoDoesTheNextRequest) {
  Client client(server->port());
  client.Send(GetParam().request + std::string(kSecond));
  for (int i = 0; i < 2; ++i) {
    const auto response = client.Read();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 200);
  }
  EXPECT_TRUE(client.SeesClose());
  EXPECT_EQ(handled, 2);
}

TEST_P(AcceptedTest, GetsTheSameResponseByteByByte) {
  Client client(server->port());
  for (const char& byte : GetParam().request) client.Send({&byte, 1});
  const auto response = client.Read();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(handled, 1);
}

const auto kName = [](const testing::TestParamInfo<Row>& info) { return info.param.name; };
INSTANTIATE_TEST_SUITE_P(RequestLines, RejectedTest, testing::ValuesIn(kRequestLines), kName);
INSTANTIATE_TEST_SUITE_P(Targets, RejectedTest, testing::ValuesIn(kTargets), kName);
INSTANTIATE_TEST_SUITE_P(LineEnds, RejectedTest, testing::ValuesIn(kLineEnds), kName);
INSTANTIATE_TEST_SUITE_P(Headers, RejectedTest, testing::ValuesIn(kHeaders), kName);
INSTANTIATE_TEST_SUITE_P(Hosts, RejectedTest, testing::ValuesIn(kHosts), kName);
INSTANTIATE_TEST_SUITE_P(Lengths, RejectedTest, testing::ValuesIn(kLengths), kName);
INSTANTIATE_TEST_SUITE_P(Codings, RejectedTest, testing::ValuesIn(kCodings), kName);
INSTANTIATE_TEST_SUITE_P(Chunks, RejectedTest, testing::ValuesIn(kChunks), kName);
INSTANTIATE_TEST_SUITE_P(Truncated, RejectedTest, testing::ValuesIn(kTruncated), kName);
INSTANTIATE_TEST_SUITE_P(Valid, AcceptedTest, testing::ValuesIn(kValid), kName);

}  // namespace
}  // namespace tocsin::http
