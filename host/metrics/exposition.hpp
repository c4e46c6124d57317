// All metrics of a host, in the text that Prometheus reads.
#pragma once

#include <prometheus/collectable.h>

#include <memory>
#include <string>
#include <vector>

#include "metrics/families.hpp"

namespace busbar::host {

using Collectors = std::vector<std::unique_ptr<const prometheus::Collectable>>;

/// The media type of the text below.
inline constexpr const char* kExpositionType = "text/plain; version=0.0.4; charset=utf-8";

/// Counters, gauges and histograms in the text format 0.0.4; families without a series are left out. The same as
/// prometheus-cpp's TextSerializer, which goes through a stream for each label and takes many times as long
/// (docs/decisions/0029).
std::string exposition(const MetricFamilies& families);

/// What these collect, as such text.
std::string exposition(const Collectors& collectors);

}  // namespace busbar::host
