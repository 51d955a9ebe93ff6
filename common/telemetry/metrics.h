// Counters, gauges and histograms of one process, in Prometheus's text form. Names begin with
// `tocsin_`, units are seconds and bytes, counters end in `_total`. A label never holds a phone
// number, an id of an alert or a client: its values come from short closed lists, and all of them
// are made at start, so that a series is 0 before its first event.
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
using Buckets = std::vector<double>;  // upper bounds in rising order; +Inf is added

// Bucket edges lie on the targets that alerts are judged by. All in seconds.
inline const Buckets kRequestSeconds{.0005, .001, .002, .005, .01, .025, .05, .1, .25, .5, 1};
inline const Buckets kWebhookSeconds{.005, .01, .025, .05, .1, .25, .5, 1};
inline const Buckets kSmsAcceptSeconds{.25, .5, 1, 2, 3, 5, 10};
inline const Buckets kDeliverySeconds{1, 2, 5, 10, 30, 60, 300, 900};
inline const Buckets kCallStartSeconds{.5, 1, 2, 5, 10, 30};
inline const Buckets kPostSeconds{.025, .05, .1, .25, .5, 1, 2, 3, 5, 10, 30};

// Only rises. All its functions are cheap, wait-free and safe from any thread.
class Counter {
 public:
  explicit Counter(prometheus::Counter& inner) : inner_(inner) {}
  void Increment(double by = 1);  // a negative number is ignored
  void RaiseTo(double total);     // of a total counted elsewhere; one caller at a time
  double Value() const;

 private:
  prometheus::Counter& inner_;
};

// Rises and falls. Safe from any thread.
class Gauge {
 public:
  explicit Gauge(prometheus::Gauge& inner) : inner_(inner) {}
  void Set(double value);
  void Add(double by);  // may be negative
  void SetToNow();      // Unix time in seconds
  double Value() const;

 private:
  prometheus::Gauge& inner_;
};

// Counts observations in buckets. Safe from any thread; takes a short lock.
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

// All metrics of the process, with `tocsin_build_info` and the process's own (`process_*`). Lives
// as long as whatever holds one of its metrics. Thread-safe.
class Metrics {
 public:
  // `service` is a label of tocsin_build_info: "tocsin-ingress".
  explicit Metrics(std::string_view service);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // The metric of this name and these labels, made when it is asked for first. Takes a lock and
  // looks it up: keep the reference. A name with another type or help text, or an unlawful name,
  // aborts.
  telemetry::Counter& Counter(const std::string& name, const std::string& help,
                              const Labels& labels = {});
  telemetry::Gauge& Gauge(const std::string& name, const std::string& help,
                          const Labels& labels = {});
  telemetry::Histogram& Histogram(const std::string& name, const std::string& help,
                                  const Buckets& buckets, const Labels& labels = {});

  // Called at the start of every Text(), to bring gauges up to date. It must be quick and outlive
  // *this.
  void BeforeText(std::function<void()> refresh);

  // The text exposition format, version 0.0.4.
  std::string Text() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// What Text() is, for the Content-Type header.
constexpr std::string_view kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace tocsin::telemetry
