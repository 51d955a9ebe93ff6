#include "common/telemetry/spans.h"

#include <curl/curl.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/telemetry/log.h"
#include "common/telemetry/scrub.h"

namespace tocsin::telemetry {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kStatusError = 2;  // OTLP's Status.StatusCode

Json Attribute(const std::string& key, const std::string& value) {
  return {{"key", key}, {"value", {{"stringValue", Scrub(value)}}}};
}

std::string Nanos(WallTime time) { return std::to_string(ToUnixMicros(time)) + "000"; }

Json JsonOf(const Span& span) {
  Json json{{"traceId", span.trace.trace_id()},
            {"spanId", span.trace.span_id()},
            {"parentSpanId", span.trace.parent_id()},
            {"name", span.name},
            {"kind", static_cast<int>(span.kind)},
            {"startTimeUnixNano", Nanos(span.end - span.duration)},
            {"endTimeUnixNano", Nanos(span.end)},
            {"attributes", Json::array()},
            {"status", Json::object()}};
  for (const auto& [key, value] : span.attributes)
    json["attributes"].push_back(Attribute(key, value));
  if (span.failed) json["status"] = {{"code", kStatusError}};
  return json;
}

size_t Discard(char*, size_t size, size_t count, void*) { return size * count; }

// True if the collector accepted the body.
bool Send(const std::string& endpoint, const std::string& body) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle(curl_easy_init(),
                                                                   &curl_easy_cleanup);
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(
      curl_slist_append(nullptr, "Content-Type: application/json"), &curl_slist_free_all);
  if (!handle || !headers) return false;
  bool set = true;
  const auto option = [&](CURLoption name, auto value) {
    set = set && curl_easy_setopt(handle.get(), name, value) == CURLE_OK;
  };
  option(CURLOPT_URL, endpoint.c_str());
  option(CURLOPT_PROTOCOLS_STR, "http,https");
  option(CURLOPT_NOSIGNAL, 1L);
  option(CURLOPT_TIMEOUT_MS,
         static_cast<long>(std::chrono::milliseconds(kSpanPostTimeout).count()));
  option(CURLOPT_HTTPHEADER, headers.get());
  option(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  option(CURLOPT_POSTFIELDS, body.c_str());
  option(CURLOPT_WRITEFUNCTION, &Discard);
  if (!set || curl_easy_perform(handle.get()) != CURLE_OK) return false;
  long status = 0;
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
  return status >= 200 && status < 300;
}

}  // namespace

std::string OtlpJson(const SpanOptions& options, const std::vector<Span>& spans) {
  Json list = Json::array();
  for (const Span& span : spans) list.push_back(JsonOf(span));
  const Json resource{
      {"attributes", Json::array({Attribute("service.name", options.service),
                                  Attribute("service.instance.id", options.instance),
                                  Attribute("service.version", std::string(Version()))})}};
  const Json scope{{"scope", {{"name", "tocsin"}}}, {"spans", std::move(list)}};
  const Json body{{"resourceSpans", Json::array({Json{{"resource", resource},
                                                      {"scopeSpans", Json::array({scope})}}})}};
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

SpanExporter::SpanExporter(SpanOptions options, Metrics& metrics)
    : options_(std::move(options)),
      exported_(metrics.Counter("tocsin_spans_total", "Spans ended", {{"result", "exported"}})),
      dropped_(metrics.Counter("tocsin_spans_total", "Spans ended", {{"result", "dropped"}})) {
  if (enabled()) thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

SpanExporter::~SpanExporter() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
  if (!queue_.empty()) Post(queue_);
}

void SpanExporter::Record(Span span) {
  if (!enabled() || !span.trace.sampled()) return;
  const std::lock_guard lock(mutex_);
  if (queue_.size() >= kSpanQueue) return dropped_.Increment();
  queue_.push_back(std::move(span));
  if (queue_.size() == kSpanBatch) changed_.notify_one();
}

void SpanExporter::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::vector<Span> batch;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, stop, kSpanInterval, [this] { return queue_.size() >= kSpanBatch; });
      if (stop.stop_requested()) return;
      const auto end =
          queue_.begin() + static_cast<std::ptrdiff_t>(std::min(queue_.size(), kSpanBatch));
      batch.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
      queue_.erase(queue_.begin(), end);
    }
    if (!batch.empty()) Post(batch);
  }
}

void SpanExporter::Post(const std::vector<Span>& spans) {
  const bool accepted = Send(options_.endpoint, OtlpJson(options_, spans));
  (accepted ? exported_ : dropped_).Increment(static_cast<double>(spans.size()));
}

}  // namespace tocsin::telemetry
