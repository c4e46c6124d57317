// What an operator says about one plugin: load, unload, reload, rollback; and what stays decided about its file.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "log/text.hpp"
#include "plugins/file/router_check.hpp"
#include "plugins/plugin_manager.hpp"

namespace busbar::host {

namespace {

namespace fs = std::filesystem;

// A file under a name that nobody takes for a plugin's, until it is put in its place. Errors: PluginError.
class Incoming {
 public:
  Incoming(const fs::path& from, const fs::path& directory, const std::string& file)
      : path_(directory / (".busbar-load-" + std::to_string(::getpid()) + "-" + file)) {
    std::error_code error;
    fs::copy_file(from, path_, fs::copy_options::overwrite_existing, error);
    if (error) fail("copy \"" + from.string() + "\" into the plugin directory", error.message());
    const DescriptorGuard written(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (written.get() < 0 || ::fsync(written.get()) != 0) fail("write \"" + path_.string() + "\"", error_text(errno));
  }
  ~Incoming() {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
  Incoming(const Incoming&) = delete;
  Incoming& operator=(const Incoming&) = delete;

  const fs::path& path() const { return path_; }

  void put_at(const fs::path& target) const {
    std::error_code error;
    fs::rename(path_, target, error);
    if (error) fail("put the file in place as \"" + target.string() + "\"", error.message());
  }

 private:
  [[noreturn]] static void fail(const std::string& what, const std::string& why) {
    throw PluginError("could not " + what + ": " + why);
  }
  const fs::path path_;
};

std::optional<Mark> copy_of(const Mark* mark) { return mark == nullptr ? std::nullopt : std::optional(*mark); }

std::string how_to_end(const std::string& plugin) {
  return "; \"busbar reload " + plugin + "\" or another file ends that";
}

}  // namespace

// ------------------------------------------------------------------------------------------------------- being asked

// One that waits is looked at again as soon as those who drain are; what is said of the same plugin after it waits,
// too.
void PluginManager::carry_out_orders(std::vector<Order> orders) {
  std::vector<Order> waiting;
  for (Order& order : orders) {
    const bool is_behind = std::any_of(waiting.begin(), waiting.end(), [&](const Order& before) {
      return file_if_known(before) == file_if_known(order);
    });
    if (is_behind || must_wait_for_others(order)) {
      waiting.push_back(std::move(order));
    } else {
      carry_out(order);
    }
  }
  const MutexLock lock(mutex_);
  orders_.insert(orders_.begin(), std::make_move_iterator(waiting.begin()), std::make_move_iterator(waiting.end()));
}

std::string PluginManager::file_if_known(const Order& order) const {
  if (order.kind == Order::Kind::load) return fs::path(order.what).filename();
  try {
    return file_of(order.what);
  } catch (const PluginError&) {
    return order.what;
  }
}

void PluginManager::carry_out(const Order& order) {
  std::string file, problem;
  try {
    obey(order, file);
  } catch (const std::exception& failure) {
    problem = failure.what();
  }
  publish_rows();
  std::vector<PluginRow> rows = this->rows();
  std::erase_if(rows, [&](const PluginRow& row) { return row.file != printable(file); });
  order.done(problem, rows);
}

// `file`: which it is about, as soon as that is known. Errors: PluginError, and whatever keeps a mark from being kept.
void PluginManager::obey(const Order& order, std::string& file) {
  if (order.kind == Order::Kind::load) {
    file = fs::path(order.what).filename();
    return load_file(order.what, file);
  }
  file = file_of(order.what);
  switch (order.kind) {
    case Order::Kind::unload:
      return unload(file);
    case Order::Kind::rollback:
      return rollback(file);
    default:
      return reload(file);
  }
}

// Of a plugin by its name or that of its file. Errors: PluginError that says which there are.
std::string PluginManager::file_of(const std::string& what) const {
  for (const auto& [file, slot] : slots_) {  // first: another file may claim the name
    if (slot.plugin && slot.row.name == what) return file;
  }
  std::string known;
  for (const auto& [file, slot] : slots_) {
    if (file == what || slot.row.name == what) return file;
    known += (known.empty() ? "" : ", ") + (slot.row.name.empty() ? printable(file) : slot.row.name);
  }
  throw PluginError("there is no plugin or file " + in_quotes(what) + " here; there " +
                    (known.empty() ? "are none" : "are: " + known));
}

// Whether it has to wait until another version has ended its calls: of a file only one does so at a time.
bool PluginManager::must_wait_for_others(const Order& order) const {
  if (order.kind == Order::Kind::unload) return false;
  if (order.kind == Order::Kind::load) return is_draining(fs::path(order.what).filename());
  return std::any_of(leaving_.begin(), leaving_.end(), [&](const Leaving& leaving) {
    return leaving.row.state == PluginState::draining && (leaving.row.name == order.what || leaving.file == order.what);
  });
}

// ------------------------------------------------------------------------------------------------------------- doing
// it

// What cannot be used is not put into the directory: what serves now is left alone, also after a restart.
void PluginManager::load_file(const fs::path& path, const std::string& file) {
  if (!is_plugin_file_name(file)) {
    throw PluginError("could not load " + in_quotes(path.string()) +
                      ": expected a file whose name ends in .so and does not begin with a dot");
  }
  std::error_code ignored;
  const fs::path target = options_.directory / file;
  if (fs::equivalent(path, target, ignored)) return reload(file);
  Incoming incoming(path, options_.directory, file);
  Slot& slot = slots_[file];
  if (!slot.plugin) {
    slot.row = {};
    slot.row.file = printable(file);
    put_state(slot.row, PluginState::loading);
  }
  const std::string digest = digest_of(incoming.path());
  if (!slot.plugin || slot.digest != digest) {
    const bool was_new = slot.looked_at == FileStamp{} && !slot.plugin;
    if (!load(slot, {file, incoming.path(), slot.stamp, {}})) {
      const std::string reason = slot.row.reason;
      if (was_new) slots_.erase(file);
      throw PluginError(reason);
    }
  }
  unmark(file);
  try {
    incoming.put_at(target);
  } catch (...) {
    slot.stamp = slot.looked_at = {};  // what is in the directory is another, and counts
    slot.digest.clear();
    throw;
  }
  slot.row.reason.clear();
  const auto listing = list();
  const PluginCandidate* const candidate = listing ? listing->find(file) : nullptr;
  if (candidate != nullptr) slot.stamp = slot.looked_at = candidate->stamp;
}

void PluginManager::unload(const std::string& file) {
  Slot& slot = slots_[file];
  const Mark* const before = marks_.find(file);
  if (before != nullptr && before->kind == Mark::Kind::unloaded) {
    throw PluginError("plugin \"" + slot.row.name + "\" is unloaded already");
  }
  const std::string name = slot.row.name.empty() ? printable(file) : slot.row.name;
  const std::string reason = "unloaded by hand" + how_to_end(name);
  marks_.put(file, {Mark::Kind::unloaded, digest_in_directory(file), slot.row.name, reason});
  if (slot.plugin) {
    registry_.withdraw_router(slot.row.name);
    let_go(file, std::move(slot.plugin), slot.row);
    slot.row.instance.reset();
    slot.row.services.clear();
    slot.row.complaint.clear();
  }
  put_state(slot.row, PluginState::unloaded, reason);
  log_.info("unloaded a plugin, as was asked for", {{"plugin", name}, {"file", file}});
}

void PluginManager::reload(const std::string& file) {
  const auto listing = list();
  const PluginCandidate* const candidate = listing ? listing->find(file) : nullptr;
  if (candidate == nullptr) throw PluginError("there is no file " + in_quotes(file) + " in the plugin directory");
  const std::optional<Mark> mark = copy_of(marks_.find(file));
  unmark(file);
  Slot& slot = slots_[file];
  const std::uint64_t generation = slot.row.generation;
  const std::string digest = std::exchange(slot.digest, {});  // also where the file is what it was
  slot.stamp = {};
  consider(*candidate);
  if (slot.plugin && slot.row.generation != generation) return marks_.forget_crashes(file);
  slot.digest = digest;
  const std::string reason = slot.row.reason;
  if (slot.plugin) mark_again(file, mark);  // what serves on is what was decided to
  throw PluginError(reason);
}

void PluginManager::rollback(const std::string& file) {
  Slot& slot = slots_[file];
  const Mark* const mark = marks_.find(file);
  if (mark != nullptr && mark->kind == Mark::Kind::rolled_back) {
    throw PluginError("plugin \"" + slot.row.name + "\" serves its version before already" + how_to_end(slot.row.name));
  }
  std::error_code ignored;
  if (!fs::exists(marks_.previous_of(file), ignored)) {
    throw PluginError("no version before this one is kept of plugin \"" + slot.row.name +
                      "\": it has not been replaced since its file came here");
  }
  go_back(file, slot, "by hand");
}

// What serves then has been there before: it is not on probation, and what it replaces is not kept.
bool PluginManager::load_previous(Slot& slot, const std::string& file, const FileStamp& stamp) {
  goes_back_ = true;
  const bool serves = load(slot, {file, marks_.previous_of(file), stamp, {}});
  goes_back_ = false;
  return serves;
}

// Errors: PluginError; then what serves goes on.
void PluginManager::go_back(const std::string& file, Slot& slot, const std::string& why) {
  const std::string from = slot.row.version;
  slot.on_probation_until = {};
  const std::optional<Mark> before = copy_of(marks_.find(file));
  marks_.put(file, {Mark::Kind::rolled_back, digest_in_directory(file), slot.row.name, why});
  if (!load_previous(slot, file, slot.looked_at)) {
    mark_again(file, before);
    throw PluginError("could not go back to the version before: " + slot.row.reason);
  }
  slot.row.reason = "went back from version " + from + ": " + why + how_to_end(slot.row.name);
  log_.warn("went back to the version before",
            {{"plugin", slot.row.name}, {"version", slot.row.version}, {"from", from}, {"reason", why}});
}

// ------------------------------------------------------------------------------------------------- what stays decided

// Empty: there is no such file, or it cannot be read.
std::string PluginManager::digest_in_directory(const std::string& file) const {
  try {
    return digest_of(options_.directory / file);
  } catch (const CopyError&) {
    return {};
  }
}

// Whether something else than loading it has been decided about this very file.
bool PluginManager::is_decided(Slot& slot, const PluginCandidate& candidate) {
  const Mark* const mark = marks_.find(candidate.file_name);
  if (mark == nullptr) return false;
  if (mark->digest != digest_in_directory(candidate.file_name)) {  // another file, another decision
    unmark(candidate.file_name);
    return false;
  }
  if (mark->kind == Mark::Kind::rolled_back) {
    if (slot.plugin) return true;
    slot.row = {};
    slot.row.file = printable(candidate.file_name);
    const std::string why = mark->reason;
    if (load_previous(slot, candidate.file_name, candidate.stamp)) {
      slot.row.reason = "went back to this version: " + why + how_to_end(slot.row.name);
      return true;
    }
    std::error_code ignored;
    if (fs::exists(marks_.previous_of(candidate.file_name), ignored)) return true;  // its row says what is wrong
    unmark(candidate.file_name);  // there is none to go back to any more
    return false;
  }
  if (slot.plugin || slot.row.reason == mark->reason) return true;  // that is known by now
  slot.row.file = printable(candidate.file_name);
  slot.row.name = mark->plugin;
  put_state(slot.row, mark->kind == Mark::Kind::unloaded ? PluginState::unloaded : PluginState::failed, mark->reason);
  return true;
}

void PluginManager::mark_again(const std::string& file, const std::optional<Mark>& before) {
  if (!before) return unmark(file);
  try {
    marks_.put(file, *before);
  } catch (const std::exception& failure) {
    log_.warn("what was decided about a plugin could not be kept", {{"file", file}, {"reason", failure.what()}});
  }
}

void PluginManager::unmark(const std::string& file) {
  try {
    marks_.remove(file);
  } catch (const std::exception& failure) {
    log_.warn("what was decided about a plugin no longer holds, but could not be forgotten",
              {{"file", file}, {"reason", failure.what()}});
  }
}

}  // namespace busbar::host
