// One generation of a plugin in this process: its private copy, its mapped library, its router.
#pragma once

#include <busbar/payload.hpp>

#include <boost/dll/shared_library.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dispatch/dispatcher.hpp"
#include "dispatch/instance.hpp"
#include "plugins/file/private_copy.hpp"

namespace busbar::host {

/// What `LoadedPlugin::unload` came to.
struct Unloaded {
  bool unmapped = false;
  std::string reason;  ///< why the image is kept, in words; empty when it is gone
};

/// What a version of a plugin has saved for another.
struct SavedState {
  std::uint32_t version = 0;  ///< the author's own
  Payload bytes;
};

/// A plugin that was mapped and created. Threads: the loader's.
class LoadedPlugin {
 public:
  /// Maps the copy and creates the router.
  /// Errors: PluginError, saying at which step and why; then everything is undone.
  LoadedPlugin(PrivateCopy copy, const busbar_descriptor& descriptor, std::uint64_t generation, Dispatcher& dispatcher,
               Logger log);
  /// Must have been unloaded, or is leaked on purpose.
  ~LoadedPlugin() = default;
  LoadedPlugin(const LoadedPlugin&) = delete;
  LoadedPlugin& operator=(const LoadedPlugin&) = delete;

  Instance& instance() const noexcept { return *instance_; }
  const std::shared_ptr<Instance>& shared_instance() const noexcept { return instance_; }
  const PrivateCopy& copy() const noexcept { return copy_; }
  /// Its services as the registry takes them: each keeps the instance alive.
  std::vector<std::shared_ptr<registry::LocalProvider>> services() const;

  /// Starts it; also again after `stop`. Errors: PluginError with its reason; then it is not started.
  void start(const Payload& config);

  /// Why the plugin says that it cannot do its work; empty: it can.
  std::string complaint() const;

  /// It cannot be started beside another version of itself.
  bool is_exclusive() const noexcept { return (instance_->router().flags & BUSBAR_ROUTER_EXCLUSIVE) != 0; }
  bool saves_state() const noexcept { return instance_->router().save_state != nullptr; }
  bool restores_state() const noexcept { return instance_->router().restore_state != nullptr; }
  /// With no call inside. Errors: PluginError with its reason.
  SavedState save_state() const;
  void restore_state(const SavedState& state) const;

  /// Ends everything that the plugin began. Once; calls may still be inside.
  void stop() noexcept;
  /// Destroys the router and unmaps the library. After `stop`, and only when the instance is quiet.
  Unloaded unload();

 private:
  void create(const busbar_descriptor& descriptor);
  void destroy() noexcept;

  // In this order: the library is unmapped after everything that may point into it is gone, and its file goes last.
  PrivateCopy copy_;
  std::unique_ptr<boost::dll::shared_library> library_;
  std::shared_ptr<Instance> instance_;
  bool created_ = false;
  bool started_ = false;
};

}  // namespace busbar::host
