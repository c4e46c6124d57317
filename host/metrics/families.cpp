#include "metrics/families.hpp"

#include "log/text.hpp"

namespace busbar::host {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

std::vector<ClientMetric::Label> labels(std::initializer_list<LabelPair> pairs) {
  std::vector<ClientMetric::Label> out;
  out.reserve(pairs.size());
  for (const auto& [name, value] : pairs) {
    out.push_back({std::string(name), {}});
    append_printable(out.back().value, value);
  }
  return out;
}

MetricFamily counter_family(std::string name, std::string help) {
  return {std::move(name), std::move(help), MetricType::Counter, {}};
}

MetricFamily gauge_family(std::string name, std::string help) {
  return {std::move(name), std::move(help), MetricType::Gauge, {}};
}

void add(MetricFamily& family, double value, std::vector<ClientMetric::Label> labels) {
  ClientMetric& metric = family.metric.emplace_back();
  metric.label = std::move(labels);
  (family.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
}

MetricFamily counter(std::string name, std::string help, double value) {
  MetricFamily family = counter_family(std::move(name), std::move(help));
  add(family, value);
  return family;
}

MetricFamily gauge(std::string name, std::string help, double value) {
  MetricFamily family = gauge_family(std::move(name), std::move(help));
  add(family, value);
  return family;
}

}  // namespace busbar::host
