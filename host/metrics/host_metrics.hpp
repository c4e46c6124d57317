// What a host says of itself as a whole.
#pragma once

#include <prometheus/collectable.h>

#include <functional>
#include <string>

namespace busbar::host {

/// Threads: any, as `ready` may be called.
class HostMetrics final : public prometheus::Collectable {
 public:
  HostMetrics(std::string version, std::function<bool()> ready)
      : version_(std::move(version)), ready_(std::move(ready)) {}
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const std::string version_;
  const std::function<bool()> ready_;
};

}  // namespace busbar::host
