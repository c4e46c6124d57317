#include "rundir/rundir.hpp"

#include "log/text.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <thread>
#include <utility>

namespace busbar::host {

namespace fs = std::filesystem;

namespace {

constexpr const char* kLockFile = "lock";

/// How long a lock that nobody living seems to hold is waited for: its holder may be about to write its name, or to
/// end.
constexpr std::chrono::milliseconds kPatience{300};
constexpr std::chrono::milliseconds kPause{10};

/// A file descriptor that is closed with its scope.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

/// One directory while it is being taken: what messages need to say about it.
struct Subject {
  fs::path directory;
  std::string_view purpose;

  std::string text() const { return std::string(purpose) + " " + in_quotes(directory.native()); }

  [[noreturn]] void refuse(const std::string& reason) const {
    throw DirectoryError("could not use " + text() + ": " + reason);
  }
  [[noreturn]] void fail(const std::string& step, int error) const {
    const bool is_full = error == ENOSPC || error == EDQUOT;
    refuse(step + ": " + error_text(error) + (is_full ? " (hint: make room there, or name another directory)" : ""));
  }
};

std::string octal(mode_t mode) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%04o", static_cast<unsigned>(mode & 07777));
  return text.data();
}

/// Creates the directory and the parents it lacks, each 0700: what we create is nobody else's business.
void create_directories(const Subject& subject, const fs::path& directory) {
  std::error_code unknown;  // then creating it fails, and says why
  if (!fs::exists(directory.parent_path(), unknown)) create_directories(subject, directory.parent_path());
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    subject.fail("could not create " + in_quotes(directory.native()), errno);
  }
}

/// The directory itself, never one that a symlink in its place points to: whoever may place the link would choose where
/// we put our socket and the code that we load.
int open_directory(const Subject& subject, uid_t user) {
  struct stat found {};
  if (::lstat(subject.directory.c_str(), &found) == 0) {
    if (S_ISLNK(found.st_mode)) subject.refuse("found a symlink, expected a directory");
    if (!S_ISDIR(found.st_mode)) subject.refuse("found a file, expected a directory");
  } else if (errno == ENOENT) {
    create_directories(subject, subject.directory);
  }
  Descriptor directory(::open(subject.directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) subject.fail("could not open it", errno);
  if (::fstat(directory.get(), &found) != 0) subject.fail("could not look at it", errno);
  if (found.st_uid != user) {
    subject.refuse("it belongs to user " + std::to_string(found.st_uid) + ", expected user " + std::to_string(user) +
                   ", who runs this host");
  }
  if ((found.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    subject.refuse("its mode " + octal(found.st_mode) +
                   " lets other users write into it, expected 0700 (hint: chmod go-w " + subject.directory.string() +
                   ")");
  }
  return directory.release();
}

std::string read_text(int fd) {
  std::array<char, 4096> buffer{};
  const ssize_t size = ::pread(fd, buffer.data(), buffer.size(), 0);
  return size > 0 ? std::string(buffer.data(), static_cast<std::size_t>(size)) : std::string();
}

/// Who is named in the lock file; nothing where it is empty, as after an orderly end. A file that a crash left half
/// written still tells that there was somebody.
std::optional<DirectoryHolder> read_holder(int fd) {
  const std::string text = read_text(fd);
  if (text.empty()) return std::nullopt;
  const nlohmann::json read = nlohmann::json::parse(text, nullptr, false);
  DirectoryHolder holder;
  const auto text_of = [&](const char* key) {  // nothing is found in what is no object
    const auto found = read.find(key);
    return found != read.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  if (const auto pid = read.find("pid"); pid != read.end() && pid->is_number_integer()) holder.pid = pid->get<pid_t>();
  holder.node = text_of("node");
  holder.since = text_of("since");
  return holder;
}

void write_holder(const Subject& subject, int fd, std::string_view node) {
  const nlohmann::ordered_json holder = {
      {"pid", ::getpid()}, {"node", node}, {"since", utc_text(std::chrono::system_clock::now())}};
  const std::string text = holder.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    subject.fail("could not write its lock file", errno);
  }
}

bool is_running(pid_t pid) { return pid > 0 && (::kill(pid, 0) == 0 || errno == EPERM); }

[[noreturn]] void refuse_held(const Subject& subject, const std::optional<DirectoryHolder>& holder) {
  std::string text = subject.text() + " is held by ";
  if (!holder || holder->pid <= 0) throw DirectoryError(text + "another host, which has left no name in its lock file");
  text += "node " + in_quotes(holder->node) + " (process " + std::to_string(holder->pid);
  if (!is_running(holder->pid))
    text += ", which has ended or cannot be seen from here, but a process it started holds on";
  throw DirectoryError(text + ")");
}

/// Whether the open file is still the one in the directory; one that was deleted would lock nothing.
bool is_in_place(int directory, int fd) {
  struct stat named {};
  struct stat opened {};
  return ::fstatat(directory, kLockFile, &named, AT_SYMLINK_NOFOLLOW) == 0 && ::fstat(fd, &opened) == 0 &&
         named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

/// The locked lock file.
int lock_directory(const Subject& subject, int directory) {
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  for (;; std::this_thread::sleep_for(kPause)) {
    Descriptor file(::openat(directory, kLockFile, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) subject.fail("could not open its lock file", errno);
    const bool late = std::chrono::steady_clock::now() >= give_up;
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) {
      if (is_in_place(directory, file.get())) return file.release();
      if (late) subject.refuse("its lock file keeps being replaced");
    } else if (errno != EWOULDBLOCK && errno != EINTR) {
      subject.fail("could not lock it", errno);
    } else if (const auto holder = read_holder(file.get()); late || (holder && is_running(holder->pid))) {
      refuse_held(subject, holder);
    }
  }
}

/// The path without a slash at its end, which would make the system follow a symlink in its place.
fs::path without_trailing_slash(const fs::path& path) {
  const fs::path absolute = fs::absolute(path).lexically_normal();
  return absolute.has_filename() ? absolute : absolute.parent_path();
}

}  // namespace

DirectoryLook look_at_directory(const fs::path& directory, std::string_view purpose, uid_t user) {
  const Subject subject{without_trailing_slash(directory), purpose};
  struct stat found {};
  DirectoryLook look;
  look.exists = ::lstat(subject.directory.c_str(), &found) == 0;
  if (!look.exists) {
    if (errno == EACCES) look.problem = "could not look at " + subject.text() + ": " + error_text(errno);
    return look;
  }
  try {
    const Descriptor opened(open_directory(subject, user));
    // Shared, and for a moment: who wants to hold the directory looks more than once.
    const Descriptor file(::openat(opened.get(), kLockFile, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (file && ::flock(file.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      look.holder = read_holder(file.get()).value_or(DirectoryHolder{});
    }
  } catch (const DirectoryError& error) {
    look.problem = error.what();
  }
  return look;
}

DirectoryLock DirectoryLock::acquire(const fs::path& directory, std::string_view purpose, std::string_view node) {
  const Subject subject{without_trailing_slash(directory), purpose};
  const Descriptor opened(open_directory(subject, ::geteuid()));
  Descriptor file(lock_directory(subject, opened.get()));
  auto before = read_holder(file.get());
  write_holder(subject, file.get(), node);
  return {subject.directory, file.release(), std::move(before)};
}

DirectoryLock::DirectoryLock(DirectoryLock&& other) noexcept
    : directory_(std::move(other.directory_)),
      fd_(std::exchange(other.fd_, -1)),
      taken_over_from_(std::move(other.taken_over_from_)) {}

DirectoryLock& DirectoryLock::operator=(DirectoryLock&& other) noexcept {
  if (this != &other) {
    release();
    directory_ = std::move(other.directory_);
    fd_ = std::exchange(other.fd_, -1);
    taken_over_from_ = std::move(other.taken_over_from_);
  }
  return *this;
}

DirectoryLock::~DirectoryLock() { release(); }

void DirectoryLock::release() noexcept {
  if (fd_ < 0) return;
  // Emptied, not removed: another host may have this file open already, and would lock one that is not there any more.
  // Should it fail, the next host takes us for killed, and merely cleans up after us once more.
  [[maybe_unused]] const int emptied = ::ftruncate(fd_, 0);
  ::close(fd_);
  fd_ = -1;
}

fs::path admin_socket_path(const fs::path& run_dir) {
  constexpr std::size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;  // the rest is its terminating zero
  fs::path socket = run_dir / "busbar.sock";
  if (const std::size_t size = socket.native().size(); size > kLongest) {
    throw DirectoryError("could not use run directory " + in_quotes(run_dir.native()) +
                         ": the path of its socket has " + std::to_string(size) + " bytes, expected at most " +
                         std::to_string(kLongest) + ", which is what the address of a Unix socket holds");
  }
  return socket;
}

}  // namespace busbar::host
