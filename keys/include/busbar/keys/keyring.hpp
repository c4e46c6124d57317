// This process's own key and those that it lets in, kept true to their files while it runs.
#pragma once

#include <busbar/keys/authorized.hpp>
#include <busbar/keys/key_file.hpp>
#include <busbar/thread_safety.hpp>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace busbar::keys {

/// Threads: one of its own, "busbar-keys", which sees a change of the files within moments, or, on file systems that
/// tell of none, within five seconds; everything may be called from any thread.
class Keyring {
 public:
  struct Files {
    std::filesystem::path key;         ///< this process's own
    std::filesystem::path authorized;  ///< the directory of those that are let in
  };
  /// What an operator should read: that keys have changed, or what is wrong with a file. On the keyring's thread.
  using Tell = std::function<void(bool is_fault, std::string_view text)>;

  /// Reads both. `tell` is called for each fault of a listed key, within the constructor too. Errors: KeyError.
  Keyring(Files files, Tell tell);
  ~Keyring();
  Keyring(const Keyring&) = delete;
  Keyring& operator=(const Keyring&) = delete;

  std::shared_ptr<const OwnKey> own() const;
  std::shared_ptr<const Authorized> authorized() const;

  /// Has `changed` called after each change, on the keyring's thread, until the result is destroyed: then it is not
  /// called any more, and no call is under way. It must be short, and not make or destroy one of these.
  class Subscription {
   public:
    Subscription() = default;
    Subscription(Keyring& ring, std::uint64_t id) : ring_(&ring), id_(id) {}
    Subscription(Subscription&& other) noexcept : ring_(std::exchange(other.ring_, nullptr)), id_(other.id_) {}
    Subscription& operator=(Subscription&& other) noexcept;
    ~Subscription() { reset(); }
    void reset() noexcept;

   private:
    Keyring* ring_ = nullptr;
    std::uint64_t id_ = 0;
  };
  [[nodiscard]] Subscription on_change(std::function<void()> changed);

 private:
  void watch();
  bool read_again();
  bool read_own();
  bool read_authorized();

  const Files files_;
  const Tell tell_;
  const int inotify_;
  const int stop_;  // an eventfd
  mutable Mutex mutex_;
  std::shared_ptr<const OwnKey> own_ BUSBAR_GUARDED_BY(mutex_);
  std::shared_ptr<const Authorized> authorized_ BUSBAR_GUARDED_BY(mutex_);
  std::string told_own_;  // the fault that was told last; the keyring's thread's

  Mutex subscribers_mutex_;
  std::vector<std::pair<std::uint64_t, std::function<void()>>> subscribers_ BUSBAR_GUARDED_BY(subscribers_mutex_);
  std::uint64_t last_id_ BUSBAR_GUARDED_BY(subscribers_mutex_) = 0;
  std::thread thread_;
};

}  // namespace busbar::keys
