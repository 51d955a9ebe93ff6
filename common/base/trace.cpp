#include "common/base/trace.h"

#include <algorithm>

#include "common/base/digest.h"
#include "common/base/encoding.h"

namespace tocsin {
namespace {

constexpr size_t kVersionAt = 0;
constexpr size_t kTraceAt = 3;
constexpr size_t kSpanAt = 36;
constexpr size_t kFlagsAt = 53;
constexpr size_t kLength = 55;
constexpr size_t kTraceBytes = 16;
constexpr size_t kSpanBytes = 8;
constexpr unsigned kSampled = 1;

bool IsHex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool IsZero(std::string_view text) { return text.find_first_not_of('0') == std::string_view::npos; }

std::string RandomId(size_t bytes) {
  while (true) {
    std::string id = HexEncode(RandomBytes(bytes));
    if (!IsZero(id)) return id;
  }
}

}  // namespace

std::optional<TraceContext> TraceContext::Parse(std::string_view text) {
  if (text.size() < kLength) return std::nullopt;
  const std::string_view version = text.substr(kVersionAt, 2);
  const std::string_view trace = text.substr(kTraceAt, 2 * kTraceBytes);
  const std::string_view span = text.substr(kSpanAt, 2 * kSpanBytes);
  const std::string_view flags = text.substr(kFlagsAt, 2);
  for (const size_t dash : {kTraceAt - 1, kSpanAt - 1, kFlagsAt - 1})
    if (text[dash] != '-') return std::nullopt;
  for (const std::string_view part : {version, trace, span, flags})
    if (!IsHex(part)) return std::nullopt;
  if (version == "ff" || IsZero(trace) || IsZero(span)) return std::nullopt;
  if (text.size() > kLength && (version == "00" || text[kLength] != '-')) return std::nullopt;
  const char low = flags[1];
  const unsigned bits = static_cast<unsigned>(low <= '9' ? low - '0' : low - 'a' + 10);
  return TraceContext(std::string(trace), std::string(span), {}, (bits & kSampled) != 0);
}

TraceContext TraceContext::New() { return {RandomId(kTraceBytes), RandomId(kSpanBytes), {}, true}; }

TraceContext TraceContext::Continue(std::string_view traceparent) {
  const auto parent = Parse(traceparent);
  return parent ? parent->Child() : New();
}

TraceContext TraceContext::Child() const {
  return {trace_id_, RandomId(kSpanBytes), span_id_, sampled_};
}

std::string TraceContext::Text() const {
  return "00-" + trace_id_ + '-' + span_id_ + (sampled_ ? "-01" : "-00");
}

}  // namespace tocsin
