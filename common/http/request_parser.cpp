#include "common/http/request_parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

namespace tocsin::http {
namespace {

namespace boost_beast = boost::beast;
using BeastError = boost_beast::http::error;

// Bytes of chunk sizes, chunk extensions and trailers together. Enough for hundreds of chunks, not
// for a body in chunks of one byte.
constexpr size_t kMaxChunkFraming = 4096;
// The shortest end of a chunked body. Beast 1.74 asserts that it never gets less of the last chunk.
constexpr size_t kLastChunk = std::string_view("0\r\n\r\n").size();
constexpr std::string_view kEmptyLine = "\r\n";

constexpr ParseError kMalformed{400, Rejection::kMalformed};

constexpr ParseError Unsupported(int status) { return {status, Rejection::kUnsupported}; }
constexpr ParseError HeaderTooLarge(int status) { return {status, Rejection::kHeaderTooLarge}; }
constexpr ParseError kBodyTooLarge{413, Rejection::kBodyTooLarge};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Fills a Request from Beast's parser. Trailers are discarded (RFC 9112, 7.1.2).
class BeastParser final : public boost_beast::http::basic_parser<true> {
 public:
  Request request;
  bool version_1_1 = false;

 private:
  using Text = boost_beast::string_view;
  using Code = boost_beast::error_code;

  void on_request_impl(boost_beast::http::verb, Text method, Text target, int version,
                       Code& error) override {
    request.method.assign(method.data(), method.size());
    request.target.assign(target.data(), target.size());
    version_1_1 = version == 11;
    error = {};
  }
  void on_field_impl(boost_beast::http::field, Text name, Text value, Code& error) override {
    if (!header_done_) {
      request.headers.push_back({{name.data(), name.size()}, {value.data(), value.size()}});
    }
    error = {};
  }
  void on_header_impl(Code& error) override {
    header_done_ = true;
    error = {};
  }
  std::size_t on_body_impl(Text body, Code& error) override {
    request.body.append(body.data(), body.size());
    error = {};
    return body.size();
  }
  std::size_t on_chunk_body_impl(std::uint64_t, Text body, Code& error) override {
    return on_body_impl(body, error);
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, Code& error) override {
    error = {};
  }
  void on_chunk_header_impl(std::uint64_t, Text, Code& error) override { error = {}; }
  void on_finish_impl(Code& error) override { error = {}; }
  void on_response_impl(int, Text, int, Code& error) override { error = {}; }

  bool header_done_ = false;
};

// Finds the end of the header section and rejects invalid bytes as soon as they arrive, instead of
// at a deadline. Examines each byte once.
class HeaderScanner {
 public:
  // `header` starts with the first byte of the request line and has grown since the last call.
  void Scan(std::string_view header, const ParserLimits& limits) {
    const size_t end = std::min(header.size(), limits.header_bytes);
    for (; at_ < end && !error_ && end_ == 0; ++at_) ScanByte(header[at_], limits);
    if (!error_ && end_ == 0 && at_ == limits.header_bytes) {
      error_ = HeaderTooLarge(lines_ == 0 ? 414 : 431);
    }
  }

  const std::optional<ParseError>& error() const { return error_; }
  size_t End() const { return end_; }  // the length of the header section; 0 until it is complete

 private:
  void ScanByte(char c, const ParserLimits& limits) {
    const auto byte = static_cast<unsigned char>(c);
    const bool starts_line = at_ == line_start_;
    if ((previous_ == '\r') != (c == '\n')) {
      error_ = kMalformed;  // a bare CR or a bare LF
    } else if (c == '\n') {
      EndLine(limits);
    } else if (byte == 0x7f || (byte < 0x20 && c != '\r' && c != '\t')) {
      error_ = kMalformed;  // control character
    } else if (lines_ == 0 && (c == '\t' || byte >= 0x80)) {
      error_ = kMalformed;  // the request line is ASCII and separated by spaces
    } else if (starts_line && (c == ' ' || c == '\t')) {
      error_ = kMalformed;  // obs-fold
    }
    previous_ = c;
  }

  void EndLine(const ParserLimits& limits) {
    const bool empty = at_ == line_start_ + 1;
    line_start_ = at_ + 1;
    if (empty) {
      end_ = at_ + 1;
    } else if (++lines_ > limits.headers + 1) {
      error_ = HeaderTooLarge(431);
    }
  }

  size_t at_ = 0;
  size_t line_start_ = 0;
  size_t lines_ = 0;
  size_t end_ = 0;
  char previous_ = 0;
  std::optional<ParseError> error_;
};

// True for "GET / HTTP/2.0", false for the malformed "GET / HTTP/1.1 ".
bool HasUnsupportedVersion(std::string_view header) {
  const std::string_view line = header.substr(0, header.find('\r'));
  const std::string_view version = line.substr(std::min(line.size(), line.rfind(' ') + 1));
  return std::count(line.begin(), line.end(), ' ') == 2 && version.size() == 8 &&
         version.starts_with("HTTP/") && IsDigit(version[5]) && version[6] == '.' &&
         IsDigit(version[7]);
}

bool IsHost(std::string_view host) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("-._~!$&'()*+;=%:[]").find(c) != std::string_view::npos;
  });
}

std::ptrdiff_t CountOf(const Request& request, std::string_view name) {
  return std::count_if(request.headers.begin(), request.headers.end(),
                       [name](const Header& header) { return SameToken(header.name, name); });
}

// Rejects what the grammar allows but leaves the length of the body, or the requested host, open to
// interpretation.
std::optional<ParseError> CheckFraming(const Request& request, bool version_1_1) {
  if (request.target.front() != '/' || request.target.find('#') != std::string::npos) {
    return kMalformed;  // absolute-, authority- or asterisk-form
  }
  const auto hosts = CountOf(request, "Host");
  if (hosts > 1 || (version_1_1 && hosts == 0)) return kMalformed;
  if (hosts == 1 && !IsHost(*request.Find("Host"))) return kMalformed;

  const auto lengths = CountOf(request, "Content-Length");
  const auto codings = CountOf(request, "Transfer-Encoding");
  if (lengths + codings > 1) return kMalformed;
  if (lengths == 1) {
    const std::string_view length = *request.Find("Content-Length");
    if (length.empty() || !std::all_of(length.begin(), length.end(), IsDigit)) return kMalformed;
  }
  if (codings == 1) {
    if (!version_1_1) return kMalformed;
    if (!SameToken(*request.Find("Transfer-Encoding"), "chunked")) return Unsupported(501);
  }
  if (version_1_1 && CountOf(request, "Expect") > 0) {
    const auto expected = request.Find("Expect");
    if (!expected || !SameToken(*expected, "100-continue")) return Unsupported(417);
  }
  return std::nullopt;
}

}  // namespace

class RequestParser::Impl {
 public:
  explicit Impl(ParserLimits limits) : limits_(limits) {
    beast.eager(true);
    beast.header_limit(std::numeric_limits<std::uint32_t>::max());  // HeaderScanner checks it
    beast.body_limit(limits.body_bytes);
  }

  const ParserLimits& limits() const { return limits_; }

  size_t Consume(std::string_view bytes) {
    size_t consumed = started ? 0 : SkipEmptyLines(bytes);
    if (!started) return consumed;
    if (!header_done) consumed += ConsumeHeader(bytes.substr(consumed));
    return header_done ? consumed + ConsumeBody(bytes.substr(consumed)) : consumed;
  }

  BeastParser beast;
  std::optional<ParseError> error;
  bool started = false;
  bool header_done = false;
  bool expects_continue = false;

 private:
  size_t SkipEmptyLines(std::string_view bytes) {
    size_t skipped = 0;
    while (bytes.substr(skipped).starts_with(kEmptyLine)) {
      if (++empty_lines_ > kMaxEmptyLines) {
        error = kMalformed;
        return skipped;
      }
      skipped += kEmptyLine.size();
    }
    const std::string_view rest = bytes.substr(skipped);
    started = !rest.empty() && rest != "\r";  // "\r" may become an empty line
    return skipped;
  }

  size_t ConsumeHeader(std::string_view bytes) {
    scanner_.Scan(bytes, limits_);
    error = scanner_.error();
    if (error || scanner_.End() == 0) return 0;
    const std::string_view header = bytes.substr(0, scanner_.End());
    boost_beast::error_code code;
    const size_t consumed = beast.put({header.data(), header.size()}, code);
    if (code == BeastError::bad_version && HasUnsupportedVersion(header)) {
      error = Unsupported(505);
    } else if (code == BeastError::body_limit) {
      error = kBodyTooLarge;
    } else if (code || consumed != header.size()) {
      error = kMalformed;
    } else {
      error = CheckFraming(beast.request, beast.version_1_1);
    }
    if (error) return 0;
    header_done = true;
    expects_continue = beast.version_1_1 && beast.request.Find("Expect").has_value();
    return consumed;
  }

  size_t ConsumeBody(std::string_view bytes) {
    const bool chunked = beast.chunked();
    if (beast.is_done() || bytes.empty() || (chunked && bytes.size() < kLastChunk)) return 0;
    boost_beast::error_code code;
    const size_t consumed = beast.put({bytes.data(), bytes.size()}, code);
    encoded_bytes_ += consumed;
    const size_t unfinished_line = beast.is_done() ? 0 : bytes.size() - consumed;
    const size_t framing = encoded_bytes_ + unfinished_line - beast.request.body.size();
    if (code == BeastError::body_limit) {
      error = kBodyTooLarge;
    } else if ((code && code != BeastError::need_more) || framing > kMaxChunkFraming) {
      error = kMalformed;
    }
    return consumed;
  }

  const ParserLimits limits_;
  HeaderScanner scanner_;
  size_t empty_lines_ = 0;
  size_t encoded_bytes_ = 0;  // of the body, as received
};

RequestParser::RequestParser(ParserLimits limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;

size_t RequestParser::Consume(std::string_view bytes) {
  return Done() || error() ? 0 : impl_->Consume(bytes);
}

bool RequestParser::Done() const {
  return impl_->header_done && !impl_->error && impl_->beast.is_done();
}
bool RequestParser::Started() const { return impl_->started; }
bool RequestParser::HeaderDone() const { return impl_->header_done; }
const std::optional<ParseError>& RequestParser::error() const { return impl_->error; }
bool RequestParser::ExpectsContinue() const { return impl_->expects_continue && !Done(); }
bool RequestParser::KeepAlive() const {
  return impl_->beast.version_1_1 && impl_->beast.keep_alive();
}

Request RequestParser::TakeRequest() { return std::move(impl_->beast.request); }

void RequestParser::Reset() { impl_ = std::make_unique<Impl>(impl_->limits()); }

}  // namespace tocsin::http
