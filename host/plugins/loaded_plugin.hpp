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
  std::string reason;     ///< why the image is kept, in words; empty when it is gone
  bool for_ever = false;  ///< there is no use in asking again
  bool counts = true;     ///< whether it is one of plugins.max_retired: not where this build keeps every image
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
  /// An image that was not unloaded is kept: nobody knows who would be hurt.
  ~LoadedPlugin();
  LoadedPlugin(const LoadedPlugin&) = delete;
  LoadedPlugin& operator=(const LoadedPlugin&) = delete;

  Instance& instance() const noexcept { return *instance_; }
  const std::shared_ptr<Instance>& shared_instance() const noexcept { return instance_; }
  const InstanceFacts& facts() const noexcept { return facts_; }
  /// Nobody is inside it: it can be unloaded, after `stop`.
  bool quiet() const noexcept { return !instance_ || instance_->quiet(); }
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
  /// Destroys the router and unmaps the library, unless something would be hurt by that, or the system's loader keeps
  /// it. After `stop`, and only when it is quiet; then there is no instance any more. To be asked again as long as the
  /// library is kept.
  Unloaded unload();
  /// Whether its library was not even closed.
  bool is_open() const noexcept { return library_ != nullptr; }
  /// How many images are kept for ever of plugins that could not be started.
  static std::size_t left_behind() noexcept;

 private:
  void create(const busbar_descriptor& descriptor);
  void destroy() noexcept;

  // In this order: the library is unmapped after everything that may point into it is gone, and its file goes last.
  const InstanceFacts facts_;
  PrivateCopy copy_;
  std::unique_ptr<boost::dll::shared_library> library_;
  std::shared_ptr<Instance> instance_;
  bool created_ = false;
  bool started_ = false;
};

}  // namespace busbar::host
