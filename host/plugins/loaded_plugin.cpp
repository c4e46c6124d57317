#include "plugins/loaded_plugin.hpp"

#include <busbar/thread_safety.hpp>

#include <algorithm>
#include <atomic>
#include <vector>

#include "dispatch/plugin_step.hpp"
#include "plugins/file/router_check.hpp"
#include "plugins/pins/loader_reasons.hpp"
#include "plugins/pins/pins.hpp"
#include "plugins/pins/threads.hpp"

namespace busbar::host {

namespace {

// Reports of the sanitizers name functions of images that must still be there when they are written.
#if defined(BUSBAR_SANITIZE_ADDRESS) || defined(BUSBAR_SANITIZE_THREAD)
constexpr bool kKeepImages = true;
#else
constexpr bool kKeepImages = false;
#endif

// Leaves the image mapped for ever; and within reach, as a search for leaks would else report it.
void keep(std::unique_ptr<boost::dll::shared_library> library) {
  static Mutex mutex;
  static auto& kept = *new std::vector<std::unique_ptr<boost::dll::shared_library>>;  // never destroyed
  const MutexLock lock(mutex);
  kept.push_back(std::move(library));
}

std::string text_of(const busbar_error& error) {
  return {error.text, std::min<std::size_t>(error.size, sizeof error.text)};
}

std::atomic<std::size_t> kept_of_failed{0};

// Why it must not be closed; empty: it may be.
std::string why_not_closed(const std::filesystem::path& library) {
  if (!watches_threads()) return "this program does not see who starts threads, so that any may run its code";
  return in_one_line(pins_of(library));
}

}  // namespace

LoadedPlugin::LoadedPlugin(PrivateCopy copy, const busbar_descriptor& descriptor, std::uint64_t generation,
                           Dispatcher& dispatcher, Logger log)
    : facts_{descriptor.name, descriptor.version, generation},
      copy_(std::move(copy)),
      library_(std::make_unique<boost::dll::shared_library>(map_library(copy_.path()))),
      instance_(std::make_shared<Instance>(facts_, dispatcher, std::move(log))) {
  try {
    create(descriptor);
  } catch (...) {
    destroy();
    if (kKeepImages) keep(std::move(library_));
    if (const std::string why = library_ ? why_not_closed(copy_.path()) : std::string(); !why.empty()) {
      instance_->log().warn("the library of a plugin that could not be started is kept for ever", {{"reason", why}});
      static auto& instances = *new std::vector<std::shared_ptr<Instance>>;  // its threads may still ask their host
      instances.push_back(instance_);
      keep(std::move(library_));
      ++kept_of_failed;
    }
    throw;
  }
}

LoadedPlugin::~LoadedPlugin() {
  if (library_) keep(std::move(library_));
}

std::size_t LoadedPlugin::left_behind() noexcept { return kept_of_failed; }

void LoadedPlugin::create(const busbar_descriptor& descriptor) {
  const PluginStep step(*instance_, "create");
  const busbar_router& router = create_router(find_plugin(*library_, descriptor), instance_->c_host());
  created_ = true;
  const busbar_router complete = read_router(router);
  try {
    read_facts(complete);
  } catch (...) {
    router.destroy(router.self);
    created_ = false;
    throw;
  }
  instance_->adopt(complete);
}

void LoadedPlugin::start(const Payload& config) {
  const busbar_router& router = instance_->router();
  if (router.start == nullptr) {
    started_ = true;
    return;
  }
  busbar_error error{};
  error.struct_size = sizeof error;
  const auto bytes = config.bytes();
  const PluginStep step(*instance_, "start");
  if (router.start(router.self, {bytes.data(), bytes.size()}, &error) != BUSBAR_DONE) {
    throw PluginError("its start failed: " + printable(text_of(error)) + " (its settings are the table [plugin." +
                      instance_->facts().plugin + "])");
  }
  started_ = true;
}

std::vector<std::shared_ptr<registry::LocalProvider>> LoadedPlugin::services() const {
  std::vector<std::shared_ptr<registry::LocalProvider>> out;
  for (auto& endpoint : instance_->endpoints()) out.emplace_back(instance_, &endpoint);
  return out;
}

std::string LoadedPlugin::complaint() const {
  const busbar_router& router = instance_->router();
  if (router.healthy == nullptr) return {};
  busbar_error error{};
  error.struct_size = sizeof error;
  const PluginStep step(*instance_, "healthy");
  if (router.healthy(router.self, &error) == BUSBAR_DONE) return {};
  const std::string text = printable(text_of(error));
  return text.empty() ? "it does not say why" : text;
}

namespace {

// Where a plugin writes its state.
class StateBuffer {
 public:
  StateBuffer() noexcept : c_buffer_{} { c_buffer_.grow = &grow; }
  busbar_buffer* c_buffer() noexcept { return &c_buffer_; }
  /// Errors: PluginError where it says that it has written more than there is room for.
  Payload take() {
    if (c_buffer_.size > block_.capacity()) throw PluginError("its save_state wrote more than it had asked room for");
    return c_buffer_.size == 0 ? Payload() : Payload::own(std::move(block_), c_buffer_.size);
  }

 private:
  static constexpr std::size_t kMost = std::size_t{1} << 30;

  static int grow(busbar_buffer* self, std::size_t capacity) {
    Block& block = reinterpret_cast<StateBuffer*>(self)->block_;  // the buffer is its first member
    if (capacity > kMost) return -1;
    try {
      if (capacity > block.capacity()) block.grow(capacity);
    } catch (const std::bad_alloc&) {
      return -1;
    }
    self->data = block.data();
    self->capacity = block.capacity();
    return 0;
  }

  busbar_buffer c_buffer_;
  Block block_;
};

}  // namespace

SavedState LoadedPlugin::save_state() const {
  const busbar_router& router = instance_->router();
  StateBuffer buffer;
  busbar_state state{sizeof state, 0, buffer.c_buffer()};
  busbar_error error{};
  error.struct_size = sizeof error;
  const PluginStep step(*instance_, "save_state");
  if (router.save_state(router.self, &state, &error) != BUSBAR_DONE) {
    throw PluginError("the state of version " + instance_->facts().version +
                      " could not be saved: " + printable(text_of(error)));
  }
  return {state.version, buffer.take()};
}

void LoadedPlugin::restore_state(const SavedState& state) const {
  const busbar_router& router = instance_->router();
  busbar_error error{};
  error.struct_size = sizeof error;
  const auto bytes = state.bytes.bytes();
  const PluginStep step(*instance_, "restore_state");
  if (router.restore_state(router.self, state.version, {bytes.data(), bytes.size()}, &error) == BUSBAR_DONE) return;
  throw PluginError("version " + instance_->facts().version +
                    " did not take over the state: " + printable(text_of(error)));
}

void LoadedPlugin::stop() noexcept {
  if (!started_) return;
  started_ = false;
  const busbar_router& router = instance_->router();
  const PluginStep step(*instance_, "stop");
  if (router.stop != nullptr) router.stop(router.self);
}

void LoadedPlugin::destroy() noexcept {
  if (!created_) return;
  created_ = false;
  const busbar_router& router = instance_->router();
  const PluginStep step(*instance_, "destroy");
  if (router.destroy != nullptr) router.destroy(router.self);
}

Unloaded LoadedPlugin::unload() {
  destroy();
  if (kKeepImages) {
    instance_.reset();
    if (library_) keep(std::move(library_));
    return {false, "images are kept in a build with sanitizers", true, false};
  }
  const std::filesystem::path file = copy_.path();
  if (library_) {
    // The instance stays as well: a thread of the plugin's may still ask its host for something.
    if (std::string why = why_not_closed(file); !why.empty()) return {false, std::move(why)};
    instance_.reset();
    library_.reset();
    if (!is_mapped(file)) return {true, {}};
  } else if (!is_kept_after_another_look(file)) {
    return {true, {}};
  }
  auto [reason, for_ever] = why_loader_keeps(file);
  return {false, std::move(reason), for_ever};
}

}  // namespace busbar::host
