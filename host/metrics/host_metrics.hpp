// What a host says of itself as a whole.
#pragma once

#include <prometheus/collectable.h>

#include <cstdint>
#include <functional>
#include <string>

namespace busbar::host {

/// Threads: any, as both functions may be called.
class HostMetrics final : public prometheus::Collectable {
 public:
  /// `log_lines_dropped`: how many lines of the log were lost so far.
  HostMetrics(std::string version, std::function<bool()> ready, std::function<std::uint64_t()> log_lines_dropped)
      : version_(std::move(version)), ready_(std::move(ready)), log_lines_dropped_(std::move(log_lines_dropped)) {}
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const std::string version_;
  const std::function<bool()> ready_;
  const std::function<std::uint64_t()> log_lines_dropped_;
};

}  // namespace busbar::host
