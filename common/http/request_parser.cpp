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

namespace beast = boost::beast;
using BeastError = beast::http::error;

// What chunk sizes, chunk extensions and trailers may cost together, whatever pieces they come in:
// two hundred chunks fit easily, a body sent byte by byte does not.
constexpr size_t kMaxChunkFraming = 4096;
// The shortest end of a chunked body. Beast 1.74 asserts that it is never shown less of the last
// chunk.
constexpr size_t kLastChunk = std::string_view("0\r\n\r\n").size();

constexpr Refusal kMalformed{400, Rejection::kMalformed};

constexpr Refusal Unsupported(int status) { return {status, Rejection::kUnsupported}; }
constexpr Refusal HeadTooLarge(int status) { return {status, Rejection::kHeadTooLarge}; }
constexpr Refusal kBodyTooLarge{413, Rejection::kBodyTooLarge};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Beast's parser with a Request to fill. Trailers are read and dropped (RFC 9112 7.1.2).
class Reader final : public beast::http::basic_parser<true> {
 public:
  Request request;
  bool version_1_1 = false;

 private:
  using Text = beast::string_view;
  using Code = beast::error_code;

  void on_request_impl(beast::http::verb, Text method, Text target, int version,
                       Code& error) override {
    request.method.assign(method.data(), method.size());
    request.target.assign(target.data(), target.size());
    version_1_1 = version == 11;
    error = {};
  }
  void on_field_impl(beast::http::field, Text name, Text value, Code& error) override {
    if (!head_done_) {
      request.headers.push_back({{name.data(), name.size()}, {value.data(), value.size()}});
    }
    error = {};
  }
  void on_header_impl(Code& error) override {
    head_done_ = true;
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

  bool head_done_ = false;
};

// Finds the end of the head and refuses what no head may contain, so that a bad request is answered
// at the bad byte and not at a deadline. Looks at each byte once.
class HeadScanner {
 public:
  // `head` starts with the request's first byte and has grown since the last call.
  void Scan(std::string_view head, const ParserLimits& limits) {
    const size_t end = std::min(head.size(), limits.head_bytes);
    for (; at_ < end && !refusal_ && end_ == 0; ++at_) Look(head[at_], limits);
    if (!refusal_ && end_ == 0 && at_ == limits.head_bytes) {
      refusal_ = HeadTooLarge(lines_ == 0 ? 414 : 431);
    }
  }

  const std::optional<Refusal>& Refused() const { return refusal_; }
  size_t End() const { return end_; }  // the head's length once it is whole, until then 0

 private:
  void Look(char c, const ParserLimits& limits) {
    const auto byte = static_cast<unsigned char>(c);
    const bool starts_line = at_ == line_start_;
    if ((previous_ == '\r') != (c == '\n')) {
      refusal_ = kMalformed;  // a bare CR or a bare LF
    } else if (c == '\n') {
      EndLine(limits);
    } else if (byte == 0x7f || (byte < 0x20 && c != '\r' && c != '\t')) {
      refusal_ = kMalformed;  // NUL and its kin
    } else if (lines_ == 0 && (c == '\t' || byte >= 0x80)) {
      refusal_ = kMalformed;  // the request line is ASCII, its blanks are spaces
    } else if (starts_line && (c == ' ' || c == '\t')) {
      refusal_ = kMalformed;  // obs-fold
    }
    previous_ = c;
  }

  void EndLine(const ParserLimits& limits) {
    const bool empty = at_ == line_start_ + 1;
    line_start_ = at_ + 1;
    if (empty && lines_ == 0) {
      refusal_ = kMalformed;
    } else if (empty) {
      end_ = at_ + 1;
    } else if (++lines_ > limits.headers + 1) {
      refusal_ = HeadTooLarge(431);
    }
  }

  size_t at_ = 0;
  size_t line_start_ = 0;
  size_t lines_ = 0;
  size_t end_ = 0;
  char previous_ = 0;
  std::optional<Refusal> refusal_;
};

// "GET / HTTP/2.0" asks for a version that we do not speak; "GET / HTTP/1.1 " asks for none at all.
bool AsksForAnotherVersion(std::string_view head) {
  const std::string_view line = head.substr(0, head.find('\r'));
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

std::ptrdiff_t Times(const Request& request, std::string_view name) {
  return std::count_if(request.headers.begin(), request.headers.end(),
                       [name](const Header& header) { return SameToken(header.name, name); });
}

// What the grammar allows and we do not: anything that leaves the length of the body, or the server
// that is meant, to interpretation.
std::optional<Refusal> Judge(const Request& request, bool version_1_1) {
  if (request.target.front() != '/' || request.target.find('#') != std::string::npos) {
    return kMalformed;  // absolute-, authority- and asterisk-form are for proxies and OPTIONS
  }
  const auto hosts = Times(request, "Host");
  if (hosts > 1 || (version_1_1 && hosts == 0)) return kMalformed;
  if (hosts == 1 && !IsHost(*request.Find("Host"))) return kMalformed;

  const auto lengths = Times(request, "Content-Length");
  const auto codings = Times(request, "Transfer-Encoding");
  if (lengths + codings > 1) return kMalformed;
  if (lengths == 1) {
    const std::string_view length = *request.Find("Content-Length");
    if (length.empty() || !std::all_of(length.begin(), length.end(), IsDigit)) return kMalformed;
  }
  if (codings == 1) {
    if (!version_1_1) return kMalformed;
    if (!SameToken(*request.Find("Transfer-Encoding"), "chunked")) return Unsupported(501);
  }
  if (version_1_1 && Times(request, "Expect") > 0) {
    const auto expected = request.Find("Expect");
    if (!expected || !SameToken(*expected, "100-continue")) return Unsupported(417);
  }
  return std::nullopt;
}

}  // namespace

class RequestParser::Impl {
 public:
  explicit Impl(ParserLimits limits) : limits_(limits) {
    reader.eager(true);
    reader.header_limit(std::numeric_limits<std::uint32_t>::max());  // HeadScanner's to decide
    reader.body_limit(limits.body_bytes);
  }

  const ParserLimits& limits() const { return limits_; }

  size_t Consume(std::string_view bytes) {
    size_t taken = 0;
    if (!head_done) {
      taken = ConsumeHead(bytes);
      if (!head_done) return 0;
    }
    return taken + ConsumeBody(bytes.substr(taken));
  }

  Reader reader;
  std::optional<Refusal> refusal;
  bool head_done = false;
  bool wants_continue = false;

 private:
  size_t ConsumeHead(std::string_view bytes) {
    scanner_.Scan(bytes, limits_);
    refusal = scanner_.Refused();
    if (refusal || scanner_.End() == 0) return 0;
    const std::string_view head = bytes.substr(0, scanner_.End());
    beast::error_code error;
    const size_t taken = reader.put({head.data(), head.size()}, error);
    if (error == BeastError::bad_version && AsksForAnotherVersion(head)) {
      refusal = Unsupported(505);
    } else if (error == BeastError::body_limit) {
      refusal = kBodyTooLarge;
    } else if (error || taken != head.size()) {
      refusal = kMalformed;
    } else {
      refusal = Judge(reader.request, reader.version_1_1);
    }
    if (refusal) return 0;
    head_done = true;
    wants_continue = reader.version_1_1 && reader.request.Find("Expect").has_value();
    return taken;
  }

  size_t ConsumeBody(std::string_view bytes) {
    const bool chunked = reader.chunked();
    if (reader.is_done() || bytes.empty() || (chunked && bytes.size() < kLastChunk)) return 0;
    beast::error_code error;
    const size_t taken = reader.put({bytes.data(), bytes.size()}, error);
    wire_bytes_ += taken;
    const size_t unfinished_line = reader.is_done() ? 0 : bytes.size() - taken;
    const size_t framing = wire_bytes_ + unfinished_line - reader.request.body.size();
    if (error == BeastError::body_limit) {
      refusal = kBodyTooLarge;
    } else if ((error && error != BeastError::need_more) || framing > kMaxChunkFraming) {
      refusal = kMalformed;
    }
    return taken;
  }

  const ParserLimits limits_;
  HeadScanner scanner_;
  size_t wire_bytes_ = 0;
};

RequestParser::RequestParser(ParserLimits limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;

size_t RequestParser::Consume(std::string_view bytes) {
  return Done() || Refused() ? 0 : impl_->Consume(bytes);
}

bool RequestParser::Done() const {
  return impl_->head_done && !impl_->refusal && impl_->reader.is_done();
}
const std::optional<Refusal>& RequestParser::Refused() const { return impl_->refusal; }
bool RequestParser::HeadDone() const { return impl_->head_done; }
bool RequestParser::WantsContinue() const { return impl_->wants_continue && !Done(); }
bool RequestParser::KeepAlive() const {
  return impl_->reader.version_1_1 && impl_->reader.keep_alive();
}

Request RequestParser::TakeRequest() { return std::move(impl_->reader.request); }

void RequestParser::Reset() { impl_ = std::make_unique<Impl>(impl_->limits()); }

}  // namespace tocsin::http
