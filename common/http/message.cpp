#include "common/http/message.h"

#include <algorithm>
#include <array>
#include <utility>

namespace tocsin::http {
namespace {

constexpr int kNoContent = 204;
constexpr int kNotModified = 304;

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string_view ReasonPhrase(int status) {
  constexpr std::array<std::pair<int, std::string_view>, 26> kPhrases{{
      {200, "OK"},
      {201, "Created"},
      {202, "Accepted"},
      {204, "No Content"},
      {304, "Not Modified"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {406, "Not Acceptable"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {411, "Length Required"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {415, "Unsupported Media Type"},
      {417, "Expectation Failed"},
      {422, "Unprocessable Content"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
  }};
  const auto* found = std::find_if(kPhrases.begin(), kPhrases.end(),
                                   [status](const auto& row) { return row.first == status; });
  return found == kPhrases.end() ? std::string_view{}
                                 : found->second;  // may be empty (RFC 9112, 4)
}

bool IsTokenChar(char c) {
  return (c >= '0' && c <= '9') || (Lower(c) >= 'a' && Lower(c) <= 'z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool IsFieldValue(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7f;
  });
}

bool IsValid(const Header& header) {
  return !header.name.empty() && std::all_of(header.name.begin(), header.name.end(), IsTokenChar) &&
         IsFieldValue(header.value) && !SameToken(header.name, "Content-Length") &&
         !SameToken(header.name, "Connection") && !SameToken(header.name, "Transfer-Encoding");
}

bool IsValid(const Response& response) {
  return response.status >= 200 && response.status <= 599 && IsFieldValue(response.content_type) &&
         std::all_of(response.headers.begin(), response.headers.end(),
                     [](const Header& header) { return IsValid(header); });
}

}  // namespace

bool SameToken(std::string_view left, std::string_view right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](char a, char b) { return Lower(a) == Lower(b); });
}

std::optional<std::string_view> Request::Find(std::string_view name) const {
  std::optional<std::string_view> found;
  for (const Header& header : headers) {
    if (!SameToken(header.name, name)) continue;
    if (found) return std::nullopt;
    found = header.value;
  }
  return found;
}

std::string_view Request::Path() const {
  return std::string_view(target).substr(0, target.find('?'));
}

std::string_view Request::Query() const {
  const size_t mark = target.find('?');
  return mark == std::string::npos ? std::string_view{} : std::string_view(target).substr(mark + 1);
}

std::string Serialize(Response& response, SerializeOptions options) {
  if (!IsValid(response)) response = Response{.status = 500};
  const bool no_body = response.status == kNoContent || response.status == kNotModified;
  std::string wire;
  wire.reserve(256 + response.body.size());
  const auto line = [&wire](std::string_view name, std::string_view value) {
    wire.append(name).append(": ").append(value).append("\r\n");
  };
  wire.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
  wire.append(ReasonPhrase(response.status)).append("\r\n");
  if (!response.content_type.empty()) line("Content-Type", response.content_type);
  if (!no_body) line("Content-Length", std::to_string(response.body.size()));
  if (options.close) line("Connection", "close");
  for (const Header& header : response.headers) line(header.name, header.value);
  wire.append("\r\n");
  if (!no_body && !options.omit_body) wire.append(response.body);
  return wire;
}

}  // namespace tocsin::http
