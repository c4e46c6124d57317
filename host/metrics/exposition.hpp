// All metrics of a host, in the text that Prometheus reads.
#pragma once

#include <prometheus/collectable.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "metrics/families.hpp"

namespace busbar::host {

using Collectors = std::vector<std::shared_ptr<const prometheus::Collectable>>;

/// The media type of the text below.
inline constexpr const char* kExpositionType = "text/plain; version=0.0.4; charset=utf-8";

/// Writes what collectors tell in the text format 0.0.4: counters, gauges and histograms; families without a series are
/// left out. The same as prometheus-cpp's TextSerializer, which goes through a stream for each label and takes many
/// times as long (docs/decisions/0029). Piece by piece, each of what some collectors tell when it is made: no more of
/// it than that is anywhere, and who writes it can give way in between. Ownership: shares the collectors. Threads: one.
class Exposition {
 public:
  /// Of two of them that follow each other, the second may go on with the family that the first has ended with.
  explicit Exposition(Collectors collectors) : collectors_(std::move(collectors)) {}

  /// What comes next, some tens of kilobytes as a rule; empty: that was all.
  std::string next();

 private:
  void write(std::string& out, const MetricFamilies& families);

  Collectors collectors_;
  std::size_t next_ = 0;  // of them
  std::string family_;    // which has been written last
};

}  // namespace busbar::host
