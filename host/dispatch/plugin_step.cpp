#include "dispatch/plugin_step.hpp"

#include <utility>

namespace busbar::host {

namespace {

thread_local constinit const PluginStep* innermost = nullptr;

}  // namespace

PluginStep::PluginStep(const Instance& instance, const char* function, const CallIds& ids) noexcept
    : instance_(instance),
      function_(function),
      ids_(ids),
      around_(Call::current()),
      outer_(std::exchange(innermost, this)),
      inside_(instance.facts().number()) {}

PluginStep::~PluginStep() { innermost = outer_; }

const PluginStep* PluginStep::current() noexcept {
  return innermost != nullptr && innermost->around_ == Call::current() ? innermost : nullptr;
}

}  // namespace busbar::host
