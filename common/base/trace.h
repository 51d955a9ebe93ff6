// The W3C Trace Context header `traceparent` (https://www.w3.org/TR/trace-context/). It connects
// the spans of an alert from the client through Kafka to Twilio and back.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tocsin {

// A span of a trace. Immutable value.
class TraceContext {
 public:
  // Strict: lower-case hex, no zero ids, version 00 exactly 55 characters, version ff invalid,
  // later versions by their first 55 characters. Returns nothing for an invalid header.
  static std::optional<TraceContext> Parse(std::string_view traceparent);

  // The root span of a new, sampled trace. Random ids (CSPRNG).
  static TraceContext New();

  // For the server of a request: a child of the request's header, or a new trace if it is invalid.
  static TraceContext Continue(std::string_view traceparent);

  // A new span of the same trace, with this one as its parent.
  TraceContext Child() const;

  const std::string& trace_id() const { return trace_id_; }    // 32 lower-case hex digits
  const std::string& span_id() const { return span_id_; }      // 16 lower-case hex digits
  const std::string& parent_id() const { return parent_id_; }  // empty if unknown
  bool sampled() const { return sampled_; }

  std::string Text() const;  // the header's value, version 00

 private:
  TraceContext(std::string trace_id, std::string span_id, std::string parent_id, bool sampled)
      : trace_id_(std::move(trace_id)),
        span_id_(std::move(span_id)),
        parent_id_(std::move(parent_id)),
        sampled_(sampled) {}

  std::string trace_id_;
  std::string span_id_;
  std::string parent_id_;
  bool sampled_;
};

}  // namespace tocsin
