// Counters, gauges and histograms of one process in Prometheus's text format. Names begin with
// `tocsin_`, units are seconds and bytes, counters end in `_total`. Label values come from short
// closed lists, never from phone numbers, alert ids or clients. All series are created at start, so
// that a series is 0 before its first event.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace tocsin::telemetry {

using Labels = std::map<std::string, std::string>;
using Buckets = std::vector<double>;  // ascending upper bounds; +Inf is added

// Bucket boundaries in seconds. They include the thresholds of the alert rules.
inline const Buckets kRequestSeconds{.0005, .001, .002, .005, .01, .025, .05, .1, .25, .5, 1};
inline const Buckets kWebhookSeconds{.005, .01, .025, .05, .1, .25, .5, 1};
inline const Buckets kSmsAcceptSeconds{.25, .5, 1, 2, 3, 5, 10};
inline const Buckets kDeliverySeconds{1, 2, 5, 10, 30, 60, 300, 900};
inline const Buckets kCallStartSeconds{.5, 1, 2, 5, 10, 30};
inline const Buckets kPostSeconds{.025, .05, .1, .25, .5, 1, 2, 3, 5, 10, 30};

// Only increases. All functions are wait-free and thread-safe.
class Counter {
 public:
  explicit Counter(prometheus::Counter& inner) : inner_(inner) {}
  void Increment(double by = 1);  // a negative value is ignored
  void RaiseTo(double total);     // copies a total counted elsewhere; not thread-safe
  double Value() const;

 private:
  prometheus::Counter& inner_;
};

// Increases and decreases. Thread-safe.
class Gauge {
 public:
  explicit Gauge(prometheus::Gauge& inner) : inner_(inner) {}
  void Set(double value);
  double Value() const;

 private:
  prometheus::Gauge& inner_;
};

// Counts observations in buckets. Thread-safe; locks briefly.
class Histogram {
 public:
  explicit Histogram(prometheus::Histogram& inner) : inner_(inner) {}
  void Observe(double value);
  void Observe(std::chrono::nanoseconds duration) {
    Observe(std::chrono::duration<double>(duration).count());
  }

 private:
  prometheus::Histogram& inner_;
};

// All metrics of the process, including `tocsin_build_info` and `process_*`. Outlives all users of
// its metrics. Thread-safe.
class Metrics {
 public:
  // `service` is a label value of tocsin_build_info: "tocsin-ingress".
  explicit Metrics(std::string_view service);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Returns the metric of this name and these labels; creates it if needed. Locks and searches:
  // keep the reference. Aborts for an invalid name and for a name that has another type or help
  // text.
  telemetry::Counter& Counter(const std::string& name, const std::string& help,
                              const Labels& labels = {});
  telemetry::Gauge& Gauge(const std::string& name, const std::string& help,
                          const Labels& labels = {});
  telemetry::Histogram& Histogram(const std::string& name, const std::string& help,
                                  const Buckets& buckets, const Labels& labels = {});

  // `update` is called by every Text() before it collects, to update gauges. It must be fast and
  // valid for the lifetime of *this.
  void OnCollect(std::function<void()> update);

  // The text exposition format, version 0.0.4.
  std::string Text() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// The media type of Text().
constexpr std::string_view kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace tocsin::telemetry
