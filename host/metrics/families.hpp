// Short ways to make what prometheus-cpp collects.
#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace busbar::host {

using MetricFamilies = std::vector<prometheus::MetricFamily>;
using LabelPair = std::pair<std::string_view, std::string_view>;  ///< name and value

/// Labels of a series. A value that is no UTF-8 or has control characters, as a file's name may, is escaped.
std::vector<prometheus::ClientMetric::Label> labels(std::initializer_list<LabelPair> pairs);

/// Families without a series, for the functions below.
prometheus::MetricFamily counter_family(std::string name, std::string help);
prometheus::MetricFamily gauge_family(std::string name, std::string help);

/// Adds a series to a family of counters or of gauges.
void add(prometheus::MetricFamily& family, double value, std::vector<prometheus::ClientMetric::Label> labels = {});

/// A family with one series that has no labels.
prometheus::MetricFamily counter(std::string name, std::string help, double value);
prometheus::MetricFamily gauge(std::string name, std::string help, double value);

}  // namespace busbar::host
