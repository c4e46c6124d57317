#include "busbar/keys/keyring.hpp"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "file_text.hpp"

namespace busbar::keys {

namespace {

// Whole files: what is being written is read when it is closed, or moved to its place.
constexpr std::uint32_t kChanges =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
constexpr int kLookEveryMs = 5'000;

std::filesystem::path folder_of(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

bool is_same(const OwnKey& one, const OwnKey& other) { return one.owner == other.owner && one.key == other.key; }

}  // namespace

Keyring::Keyring(Files files, Tell tell)
    : files_(std::move(files)),
      tell_(std::move(tell)),
      inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
      stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  try {
    if (stop_ < 0) throw KeyError("could not watch the keys: " + error_text(errno));
    // First, so that no change between reading and watching is missed. Added again each time, as the directory itself
    // may be replaced: for what is watched already that changes nothing.
    ::inotify_add_watch(inotify_, files_.authorized.c_str(), kChanges);
    ::inotify_add_watch(inotify_, folder_of(files_.key).c_str(), kChanges);
    own_ = std::make_shared<const OwnKey>(read_private_file(files_.key));
    authorized_ = std::make_shared<const Authorized>(Authorized::read(files_.authorized));
    for (const std::string& fault : authorized_->faults()) tell_(true, fault);
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are for the threads that wait for them
    thread_ = std::thread([this] { watch(); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    ::pthread_setname_np(thread_.native_handle(), "busbar-keys");
  } catch (...) {
    ::close(inotify_);
    ::close(stop_);
    throw;
  }
}

Keyring::~Keyring() {
  ::eventfd_write(stop_, 1);
  thread_.join();
  ::close(inotify_);
  ::close(stop_);
}

std::shared_ptr<const OwnKey> Keyring::own() const {
  const MutexLock lock(mutex_);
  return own_;
}

std::shared_ptr<const Authorized> Keyring::authorized() const {
  const MutexLock lock(mutex_);
  return authorized_;
}

Keyring::Subscription Keyring::on_change(std::function<void()> changed) {
  const MutexLock lock(subscribers_mutex_);
  subscribers_.emplace_back(++last_id_, std::move(changed));
  return {*this, last_id_};
}

Keyring::Subscription& Keyring::Subscription::operator=(Subscription&& other) noexcept {
  reset();
  ring_ = std::exchange(other.ring_, nullptr);
  id_ = other.id_;
  return *this;
}

void Keyring::Subscription::reset() noexcept {
  if (ring_ == nullptr) return;
  Keyring& ring = *std::exchange(ring_, nullptr);
  const MutexLock lock(ring.subscribers_mutex_);
  std::erase_if(ring.subscribers_, [&](const auto& subscriber) { return subscriber.first == id_; });
}

void Keyring::watch() {
  for (;;) {
    std::array<pollfd, 2> descriptors = {pollfd{stop_, POLLIN, 0}, pollfd{inotify_, POLLIN, 0}};
    ::poll(descriptors.data(), inotify_ < 0 ? 1 : 2, kLookEveryMs);
    if (descriptors[0].revents != 0) return;
    std::array<char, 4096> events{};
    while (::read(inotify_, events.data(), events.size()) > 0) {
    }
    ::inotify_add_watch(inotify_, files_.authorized.c_str(), kChanges);
    ::inotify_add_watch(inotify_, folder_of(files_.key).c_str(), kChanges);
    if (!read_again()) continue;
    const MutexLock lock(subscribers_mutex_);
    for (const auto& [id, changed] : subscribers_) changed();
  }
}

// Whether anything has changed.
bool Keyring::read_again() {
  const bool own = read_own();
  return read_authorized() || own;
}

// A key that cannot be read does not take the place of the one that is used: what it proves has not changed.
bool Keyring::read_own() {
  try {
    OwnKey next = read_private_file(files_.key);
    told_own_.clear();
    const auto before = own();
    if (is_same(next, *before)) return false;
    if (next.owner != before->owner) {
      throw KeyError("could not take the new key in " + shown(files_.key) + ": it belongs to " +
                     std::string(name_of(next.owner.role)) + " \"" + next.owner.name + "\", expected " +
                     std::string(name_of(before->owner.role)) + " \"" + before->owner.name +
                     "\"; the key before is used on");
    }
    {
      const MutexLock lock(mutex_);
      own_ = std::make_shared<const OwnKey>(std::move(next));
    }
    tell_(false, "took a new key of its own");
    return true;
  } catch (const KeyError& fault) {
    if (std::exchange(told_own_, fault.what()) != fault.what()) tell_(true, fault.what());
    return false;
  }
}

// Closed: of a directory that cannot be read nobody is let in.
bool Keyring::read_authorized() {
  Authorized next;
  std::vector<std::string> faults;
  try {
    next = Authorized::read(files_.authorized);
    faults = next.faults();
  } catch (const KeyError& fault) {
    faults.emplace_back(std::string(fault.what()) + "; nobody is let in until it can be read");
  }
  const auto before = authorized();
  if (next == *before) return false;
  for (const std::string& fault : faults) {
    if (std::find(before->faults().begin(), before->faults().end(), fault) == before->faults().end())
      tell_(true, fault);
  }
  const std::string count = std::to_string(next.size());
  {
    const MutexLock lock(mutex_);
    authorized_ = std::make_shared<const Authorized>(std::move(next));
  }
  tell_(false, "read the authorized keys again: there are " + count);
  return true;
}

}  // namespace busbar::keys
