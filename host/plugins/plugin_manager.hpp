// The plugins of a host: watches the directory, loads what is new, replaces what has changed, lets go of what is gone.
#pragma once

#include <busbar/registry/registry.hpp>
#include <busbar/thread_safety.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "config/config.hpp"
#include "dispatch/dispatcher.hpp"
#include "dispatch/hold.hpp"
#include "events/events.hpp"
#include "plugins/file/directory.hpp"
#include "plugins/file/inspect.hpp"
#include "plugins/loaded_plugin.hpp"
#include "plugins/marks/marks.hpp"
#include "plugins/plugin_row.hpp"
#include "plugins/watch/directory_watch.hpp"
#include "plugins/watch/settling.hpp"

namespace busbar::host {

/// A plugin whose code is about to run.
struct Entering {
  std::uint32_t number = 0;  ///< by which threads say that they are inside it
  std::string plugin;
  std::string file;            ///< its name in the plugin directory
  std::string digest;          ///< of that file
  std::filesystem::path copy;  ///< what is mapped
};

/// What an operator wants of a plugin.
struct Order {
  enum class Kind : std::uint8_t { load, unload, reload, rollback };
  Kind kind = Kind::reload;
  std::string what;  ///< load: an absolute path; else the plugin's name, or its file's
  /// Is called when that is done, on the loader's thread: `problem` says why it could not be, or is empty; `rows` are
  /// those of the file.
  std::function<void(const std::string& problem, const std::vector<PluginRow>& rows)> done;
};

/// What may change while a host runs.
struct PluginRules {
  Config::Plugins keys;
  std::map<std::string, nlohmann::json> tables;  ///< [plugin.NAME] by NAME
};

struct PluginManagerOptions {
  std::filesystem::path directory;
  std::filesystem::path cache;
  std::filesystem::path trial_program;  ///< run as `PROGRAM --try-plugin FILE`
  PluginRules rules;                    ///< at first
  std::filesystem::path state;          ///< what is decided about plugins is kept there
  std::optional<Crash> crashed;         ///< what the host ended with when it ran last; at_s: when that is known
  /// Is told of each plugin before its code runs, on the loader's thread. May be empty.
  std::function<void(const Entering&)> entering{};
  /// Is told when something about the plugins may have changed, and `rows` says so; on the loader's thread. May be
  /// empty.
  std::function<void()> changed{};
};

/// Loads on one thread of its own, so that loads, starts and stops never overlap. Files are judged on another one, for
/// which that one waits.
/// Ownership: everything given outlives `stop`. Threads: any, unless a function says otherwise.
class PluginManager {
 public:
  PluginManager(PluginManagerOptions options, registry::Registry& registry, Dispatcher& dispatcher, EventStream& events,
                Logger log, std::function<Logger(const std::string& plugin)> plugin_log);
  ~PluginManager();
  PluginManager(const PluginManager&) = delete;
  PluginManager& operator=(const PluginManager&) = delete;

  /// Begins with a first scan, after which `ready` holds; from then on what changes in the directory is acted on.
  void start();
  /// Has the whole directory looked at, and acted on at once, but for a file of which a version still ends its calls:
  /// that waits until those are over. `done` is called on the loader's thread when all of that is over.
  /// Scans that are asked for while one waits to begin are one.
  void scan(std::function<void()> done = {});
  /// Has it done after what has been asked for before. Marks are kept for it, so that neither a look at the directory
  /// nor a restart undoes it, but a new file does. A host that stops first need not call `done`.
  void order(Order order);
  /// Has these hold from now on, before anything that is asked for later: `watch` alone stays as it is, and a plugin
  /// that is loaded keeps its table until it is loaded again.
  void set_rules(PluginRules rules);
  bool ready() const;
  /// Has `tell` called when the first scan is over, on the loader's thread; at once if it is.
  void when_ready(std::function<void()> tell);

  /// What there is, by file name; generations that are draining or retired are rows of their own.
  std::vector<PluginRow> rows() const;

  /// Why the last look at the directory found nothing that could be trusted; empty: all was well.
  std::string directory_problem() const;
  /// How changes of the directory are noticed.
  struct Watching {
    bool polls = false;
    std::string why;  ///< it polls although it should not
  };
  Watching watching() const;

  /// Ends the loader's thread, whose trial is given up; what has been loaded serves on.
  void stop_loading();
  /// Withdraws every service, stops all plugins in the reverse order of their loading, and unloads those that nobody is
  /// inside any more: calls that are answered later are waited for before that, until the deadline. After
  /// `stop_loading`. Returns how many had to be left as they are.
  std::size_t stop_all(Nanos deadline);

 private:
  // What is known of one file name.
  struct Slot {
    FileStamp stamp;              // of what serves
    FileStamp looked_at;          // of what was last considered
    bool claimed = false;         // it could not be taken, as another plugin has its name or a service of it
    bool waits_for_room = false;  // it could not be taken, as too many images are kept
    std::string digest;           // of what serves
    Payload config;               // that it was started with
    PluginRow row;
    std::unique_ptr<LoadedPlugin> plugin;  // null: not serving
    // Until then a version that has taken another's place may be taken back.
    std::chrono::steady_clock::time_point on_probation_until;
  };
  // A generation that was replaced or withdrawn.
  struct Leaving {
    std::string file;
    PluginRow row;
    std::unique_ptr<LoadedPlugin> plugin;
    std::chrono::steady_clock::time_point stuck_at;
    Unloaded unloaded{};  // retired: what came of it
  };

  // What the loader's thread does next.
  struct Errand {
    bool scan = false;
    std::vector<std::function<void()>> tell;  // when it is over
    std::vector<Order> orders;
    std::optional<PluginRules> rules;
  };
  // How long each part of a load took, in its log line.
  struct Stopwatch;
  struct Judged;

  void run();
  std::optional<Errand> next_errand();
  void watch();
  void wait_for_something();
  void ring() noexcept;
  void take_rules(PluginRules rules);
  void scan_now();
  bool scan_is_over();
  void hear();
  bool look_at_changes();
  void look_for_changes(const DirectoryListing& listing);
  std::set<std::string> settled(const DirectoryListing& listing);
  bool is_draining(const std::string& file) const;
  std::optional<DirectoryListing> list();
  bool forget_missing(const DirectoryListing& listing, const std::set<std::string>* among);
  void consider(const PluginCandidate& candidate);
  bool unchanged(Slot& slot, const PluginCandidate& candidate);
  bool load(Slot& slot, const PluginCandidate& candidate);
  Judged judge(const PluginCandidate& candidate, PluginFile& facts, Stopwatch& watch);
  std::unique_ptr<LoadedPlugin> try_load(Slot& slot, const PluginCandidate& candidate, PluginFile& facts,
                                         Stopwatch& watch);
  Payload config_of(const std::string& plugin) const;
  void check_claims(const std::string& file, const std::string& name, const std::vector<ServiceFacts>& services) const;
  void put_into_service(const std::string& file, Slot& slot, std::unique_ptr<LoadedPlugin> next, Payload config);
  void start_and_check(LoadedPlugin& next, const Payload& config, bool must_be_well) const;
  void publish(const Slot& slot, LoadedPlugin& next) const;
  void takes_place(const std::string& file, Slot& slot, std::unique_ptr<LoadedPlugin> next, Payload config);

  // handover.cpp
  static bool must_wait(const Slot& slot, const LoadedPlugin& next);
  void hand_over(const std::string& file, Slot& slot, std::unique_ptr<LoadedPlugin> next, Payload config);
  void take_over(const std::string& file, Slot& slot, LoadedPlugin& next, const Payload& config, Hold& hold);
  void start_again(const std::string& file, Slot& slot, const std::optional<SavedState>& state, Hold& hold,
                   const std::string& why);

  // orders.cpp
  void carry_out_orders(std::vector<Order> orders);
  void carry_out(const Order& order);
  void obey(const Order& order, std::string& file);
  void load_file(const std::filesystem::path& path, const std::string& file);
  void unload(const std::string& file);
  void reload(const std::string& file);
  void rollback(const std::string& file);
  std::string file_of(const std::string& what) const;
  bool must_wait_for_others(const Order& order) const;
  std::string file_if_known(const Order& order) const;
  std::string digest_in_directory(const std::string& file) const;
  void go_back(const std::string& file, Slot& slot, const std::string& why);
  bool load_previous(Slot& slot, const std::string& file, const FileStamp& stamp);
  void mark_again(const std::string& file, const std::optional<Mark>& before);
  bool is_decided(Slot& slot, const PluginCandidate& candidate);
  void unmark(const std::string& file);

  // probation.cpp
  void heed_last_crash();
  bool look_after_newcomers();
  bool is_on_probation() const;
  void fail(Slot& slot, const std::string& reason);
  void let_go(const std::string& file, std::unique_ptr<LoadedPlugin> plugin, PluginRow row);
  bool tend_leaving();
  void give_up_on(Leaving& leaving);
  bool unload(Leaving& leaving);
  bool look_at_retired();
  void discard(const std::string& file, std::unique_ptr<LoadedPlugin> plugin);
  std::size_t retired() const;
  void warn_of_retired() const;
  void check_room(const Slot& slot) const;
  void room_was_made();
  bool unload_at_the_end(std::unique_ptr<LoadedPlugin>& plugin) const;
  bool look_after_health();
  void wait_until_quiet(Nanos deadline) const;
  void look_for_stray_tables() const;
  void publish_rows();
  void emit(EventKind kind, const PluginRow& row, std::string_view reason = {}) const;

  const PluginManagerOptions options_;
  registry::Registry& registry_;
  Dispatcher& dispatcher_;
  EventStream& events_;
  const Logger log_;
  const std::function<Logger(const std::string&)> plugin_log_;

  // The loader's own, until the thread has ended.
  Config::Plugins rules_;
  std::map<std::string, nlohmann::json> tables_;
  std::map<std::string, Slot> slots_;  // by file name
  std::vector<Leaving> leaving_;
  std::uint64_t copies_made_ = 0;  // each has a name of its own, whether it could be loaded or not
  std::uint64_t generations_ = 0;  // loads
  std::chrono::steady_clock::time_point next_health_;
  std::chrono::steady_clock::time_point next_look_at_retired_;
  std::unique_ptr<DirectoryWatch> watch_;
  Settling settling_;
  std::chrono::steady_clock::time_point next_rescan_;
  std::vector<std::string> directory_warnings_;
  std::set<std::string> waits_in_scan_;  // files whose version before has to end its calls first
  std::vector<std::function<void()>> when_scan_is_over_;
  std::minstd_rand random_{std::random_device{}()};

  Marks marks_;
  std::chrono::steady_clock::time_point next_look_at_newcomers_;
  bool goes_back_ = false;  // what is being loaded is an earlier version

  std::stop_source stop_trials_;  // by withdraw: a file on trial may hang

  const DescriptorGuard bell_;  // an eventfd
  mutable Mutex mutex_;
  bool scan_wanted_ BUSBAR_GUARDED_BY(mutex_) = false;
  std::vector<Order> orders_ BUSBAR_GUARDED_BY(mutex_);
  std::optional<PluginRules> next_rules_ BUSBAR_GUARDED_BY(mutex_);
  bool ending_ BUSBAR_GUARDED_BY(mutex_) = false;
  bool ready_ BUSBAR_GUARDED_BY(mutex_) = false;
  std::vector<std::function<void()>> when_scanned_ BUSBAR_GUARDED_BY(mutex_);
  std::vector<std::function<void()>> when_ready_ BUSBAR_GUARDED_BY(mutex_);
  std::vector<PluginRow> rows_ BUSBAR_GUARDED_BY(mutex_);
  std::string directory_problem_ BUSBAR_GUARDED_BY(mutex_);
  Watching watching_ BUSBAR_GUARDED_BY(mutex_);

  std::thread thread_;
};

}  // namespace busbar::host
