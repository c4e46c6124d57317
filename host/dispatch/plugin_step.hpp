// What of a plugin runs on a thread, besides the handlers of its services.
#pragma once

#include "dispatch/call.hpp"
#include "dispatch/instance.hpp"
#include "dispatch/whereabouts.hpp"

namespace busbar::host {

/// Marks this thread as one that is inside a plugin's function, for whoever must say so and can ask nobody else: the
/// report of a crash, a line that the plugin logs. Handlers need none: they have a call. Ownership: borrows the name, a
/// literal, and the ids; the instance must outlive it. Threads: the one that it is made on, on which they nest.
class PluginStep {
 public:
  /// `ids`: of the call that the function is about.
  PluginStep(const Instance& instance, const char* function, const CallIds& ids = {}) noexcept;
  ~PluginStep();
  PluginStep(const PluginStep&) = delete;
  PluginStep& operator=(const PluginStep&) = delete;

  /// The innermost on this thread; null where there is none, or where a handler runs that was called inside it.
  /// A signal handler may ask.
  static const PluginStep* current() noexcept;

  const Instance& instance() const noexcept { return instance_; }
  const char* function() const noexcept { return function_; }
  const CallIds& ids() const noexcept { return ids_; }

 private:
  const Instance& instance_;
  const char* const function_;
  const CallIds ids_;
  const Call* const around_;  // the call whose handler ran when it began
  const PluginStep* const outer_;
  const InsidePlugin inside_;
};

}  // namespace busbar::host
