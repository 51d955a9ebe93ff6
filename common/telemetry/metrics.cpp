#include "common/telemetry/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <exception>
#include <iterator>
#include <mutex>
#include <utility>

#include "common/telemetry/log.h"
#include "common/telemetry/process_metrics.h"

namespace tocsin::telemetry {
namespace {

// Handles by the metric they wrap. A std::map keeps references valid.
template <typename Handle, typename Inner>
class Handles {
 public:
  Handle& For(Inner& inner) { return handles_.try_emplace(&inner, inner).first->second; }

 private:
  std::map<Inner*, Handle> handles_;
};

}  // namespace

void Counter::Increment(double by) { inner_.Increment(by); }
void Counter::RaiseTo(double total) { Increment(total - inner_.Value()); }
double Counter::Value() const { return inner_.Value(); }

void Gauge::Set(double value) { inner_.Set(value); }
double Gauge::Value() const { return inner_.Value(); }

void Histogram::Observe(double value) { inner_.Observe(value); }

struct Metrics::Parts {
  prometheus::Registry registry;
  std::mutex mutex;
  Handles<telemetry::Counter, prometheus::Counter> counters;
  Handles<telemetry::Gauge, prometheus::Gauge> gauges;
  Handles<telemetry::Histogram, prometheus::Histogram> histograms;
  std::vector<std::function<void()>> collect_callbacks;
};

Metrics::Metrics(std::string_view service) : parts_(std::make_unique<Parts>()) {
  Gauge("tocsin_build_info", "Constant 1, labelled by service, version and compiler.",
        {{"service", std::string(service)},
         {"version", std::string(Version())},
         {"compiler", "g++ " __VERSION__}})
      .Set(1);
}

Metrics::~Metrics() = default;

// The library throws for an invalid or duplicate name. This is a broken invariant: noexcept aborts.
telemetry::Counter& Metrics::Counter(const std::string& name, const std::string& help,
                                     const Labels& labels) {
  const auto make = [&]() noexcept -> prometheus::Counter& {
    return prometheus::BuildCounter().Name(name).Help(help).Register(parts_->registry).Add(labels);
  };
  const std::lock_guard lock(parts_->mutex);
  return parts_->counters.For(make());
}

telemetry::Gauge& Metrics::Gauge(const std::string& name, const std::string& help,
                                 const Labels& labels) {
  const auto make = [&]() noexcept -> prometheus::Gauge& {
    return prometheus::BuildGauge().Name(name).Help(help).Register(parts_->registry).Add(labels);
  };
  const std::lock_guard lock(parts_->mutex);
  return parts_->gauges.For(make());
}

telemetry::Histogram& Metrics::Histogram(const std::string& name, const std::string& help,
                                         const Buckets& buckets, const Labels& labels) {
  const auto make = [&]() noexcept -> prometheus::Histogram& {
    return prometheus::BuildHistogram()
        .Name(name)
        .Help(help)
        .Register(parts_->registry)
        .Add(labels, buckets);
  };
  const std::lock_guard lock(parts_->mutex);
  return parts_->histograms.For(make());
}

void Metrics::OnCollect(std::function<void()> update) {
  const std::lock_guard lock(parts_->mutex);
  parts_->collect_callbacks.push_back(std::move(update));
}

std::string Metrics::Text() const {
  std::vector<std::function<void()>> callbacks;
  {
    const std::lock_guard lock(parts_->mutex);
    callbacks = parts_->collect_callbacks;  // called without the lock: they may call Gauge()
  }
  for (const auto& callback : callbacks) callback();
  std::vector<prometheus::MetricFamily> families = parts_->registry.Collect();
  std::vector<prometheus::MetricFamily> process = ProcessMetrics();
  families.insert(families.end(), std::make_move_iterator(process.begin()),
                  std::make_move_iterator(process.end()));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace tocsin::telemetry
