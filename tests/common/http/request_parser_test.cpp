#include "common/http/request_parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <random>
#include <string>
#include <vector>

namespace tocsin::http {
namespace {

constexpr ParserLimits kLimits{.header_bytes = 512, .headers = 8, .body_bytes = 256};

struct Outcome {
  bool done = false;
  int error = 0;  // status
  std::string method, target, body;
  size_t headers = 0;
  size_t consumed = 0;

  bool operator==(const Outcome&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  return out << "done=" << outcome.done << " error=" << outcome.error << " " << outcome.target
             << " body=" << outcome.body.size() << " consumed=" << outcome.consumed;
}

// Passes the bytes in pieces as a connection does, up to the end of the first request.
Outcome Parse(std::string_view bytes, const std::vector<size_t>& pieces) {
  RequestParser parser(kLimits);
  std::string buffer;
  Outcome outcome;
  size_t next = 0;
  while (!bytes.empty() && !parser.Done() && !parser.error()) {
    const size_t piece = std::min(bytes.size(), pieces[next++ % pieces.size()]);
    buffer.append(bytes.substr(0, piece));
    bytes.remove_prefix(piece);
    const size_t consumed = parser.Consume(buffer);
    outcome.consumed += consumed;
    buffer.erase(0, consumed);
  }
  if (parser.error()) {
    outcome.consumed = 0;  // unspecified after an error
    outcome.error = parser.error()->status;
  }
  if ((outcome.done = parser.Done())) {
    const Request request = parser.TakeRequest();
    outcome.method = request.method;
    outcome.target = request.target;
    outcome.body = request.body;
    outcome.headers = request.headers.size();
  }
  return outcome;
}

const std::vector<std::string> kSeeds = {
    "GET /a?b=c HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello worldPOST",
    "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n "
    "world\r\n0\r\nX: y\r\n\r\nGET",
    "POST /a HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
    "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n",
};

TEST(RequestParserTest, ParsesTheSameRequestHoweverItIsSplit) {
  for (const std::string& seed : kSeeds) {
    const Outcome whole = Parse(seed, {seed.size()});
    EXPECT_TRUE(whole.done);
    EXPECT_EQ(Parse(seed, {1}), whole);
    for (size_t split = 1; split < seed.size(); ++split) {
      EXPECT_EQ(Parse(seed, {split, seed.size()}), whole) << "split at " << split;
    }
  }
}

TEST(RequestParserTest, ParsesMutatedRequestsTheSameHoweverTheyAreSplit) {
  std::mt19937 random(20240501);  // a fixed seed, so that failures are reproducible
  constexpr std::string_view kInserted("\r\n\0 \t:;,0123456789abcdefXChunked/-\x7f\xff", 36);
  const auto pick = [&random](size_t below) { return static_cast<size_t>(random()) % below; };
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = kSeeds[pick(kSeeds.size())];
    for (size_t change = 1 + pick(4); change > 0 && !bytes.empty(); --change) {
      const size_t at = pick(bytes.size());
      switch (pick(4)) {
        case 0: bytes[at] = kInserted[pick(kInserted.size())]; break;
        case 1: bytes.erase(at, 1 + pick(4)); break;
        case 2: bytes.insert(at, 1, kInserted[pick(kInserted.size())]); break;
        default: bytes.insert(at, bytes.substr(pick(bytes.size()), pick(40))); break;
      }
    }
    const Outcome whole = Parse(bytes, {bytes.size()});
    const Outcome bytewise = Parse(bytes, {1});
    const Outcome pieces = Parse(bytes, {1 + pick(7), 1 + pick(40), 1 + pick(3)});
    ASSERT_EQ(bytewise.done, whole.done) << "round " << round << "\n" << bytes;
    ASSERT_EQ(bytewise.error != 0, whole.error != 0) << "round " << round << "\n" << bytes;
    ASSERT_EQ(pieces.done, whole.done) << "round " << round << "\n" << bytes;
    if (whole.done) {
      ASSERT_EQ(bytewise, whole) << "round " << round << "\n" << bytes;
      ASSERT_EQ(pieces, whole) << "round " << round << "\n" << bytes;
    }
  }
}

TEST(RequestParserTest, StartsARequestAtTheFirstByteThatIsNotAnEmptyLine) {
  RequestParser parser(kLimits);
  EXPECT_EQ(parser.Consume("\r\n\r"), 2U);
  EXPECT_FALSE(parser.Started());
  EXPECT_EQ(parser.Consume("\r\n"), 2U);
  EXPECT_FALSE(parser.Started());
  EXPECT_EQ(parser.Consume("GET"), 0U);
  EXPECT_TRUE(parser.Started());
  EXPECT_FALSE(parser.error());
}

TEST(RequestParserTest, ParsesOneRequestAfterAnother) {
  RequestParser parser(kLimits);
  std::string bytes = kSeeds[0];
  bytes.erase(0, parser.Consume(bytes));
  ASSERT_TRUE(parser.Done());
  EXPECT_EQ(parser.TakeRequest().target, "/a?b=c");
  EXPECT_EQ(parser.Consume(bytes), 0U);
  parser.Reset();
  EXPECT_EQ(parser.Consume(bytes), bytes.size());
  EXPECT_EQ(parser.TakeRequest().target, "/next");
}

TEST(RequestParserTest, AllocatesNothingForAnAnnouncedLength) {
  constexpr size_t kAnnouncedBytes = 64 * 1024 * 1024;
  RequestParser parser({.header_bytes = 512, .headers = 8, .body_bytes = kAnnouncedBytes});
  const std::string header =
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(kAnnouncedBytes) +
      "\r\n\r\nabc";
  EXPECT_EQ(parser.Consume(header), header.size());
  EXPECT_FALSE(parser.Done());
  EXPECT_LT(parser.TakeRequest().body.capacity(), 1024U);
}

}  // namespace
}  // namespace tocsin::http
