#include "busbar/registry/incarnation.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <system_error>

namespace busbar::registry {

namespace {

constexpr const char* kFile = "incarnation";
constexpr const char* kNewFile = "incarnation.new";
// More cannot have been stored by us; it leaves room for a great many starts.
constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();

[[noreturn]] void fail(const std::string& what, const std::filesystem::path& file) {
  const int error = errno;
  const char* const hint = error == ENOSPC || error == EDQUOT ? " (hint: make room there)" : "";
  throw std::system_error(error, std::generic_category(), "cannot " + what + " " + file.string() + hint);
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

std::optional<std::uint64_t> read_number(int directory) {
  const Descriptor file(::openat(directory, kFile, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return std::nullopt;
  char text[32];
  const ssize_t size = ::read(file.get(), text, sizeof text);
  if (size <= 0 || text[size - 1] != '\n') return std::nullopt;
  std::uint64_t number = 0;
  const char* const end = text + size - 1;
  const auto [stop, error] = std::from_chars(text, end, number);
  if (error != std::errc{} || stop != end || number > kMost) return std::nullopt;
  return number;
}

// The stored number with nobody else at it: other threads and processes wait. Every step is in the directory that was
// opened, whatever its name stands for meanwhile.
class Store {
 public:
  explicit Store(const std::filesystem::path& directory)
      : file_(directory / kFile), directory_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (directory_.get() < 0) fail("store this node's incarnation in", file_);
    while (::flock(directory_.get(), LOCK_EX) != 0) {
      if (errno != EINTR) fail("lock the directory of", file_);
    }
  }

  std::optional<std::uint64_t> read() const { return read_number(directory_.get()); }

  void write(std::uint64_t number) const {
    const std::string text = std::to_string(number) + "\n";
    const Descriptor file(::openat(directory_.get(), kNewFile, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (file.get() < 0) fail("store this node's incarnation in", file_);
    const ssize_t written = ::write(file.get(), text.data(), text.size());
    if (written >= 0 && written != static_cast<ssize_t>(text.size())) errno = ENOSPC;
    if (written != static_cast<ssize_t>(text.size()) || ::fsync(file.get()) != 0 ||
        ::renameat(directory_.get(), kNewFile, directory_.get(), kFile) != 0 || ::fsync(directory_.get()) != 0) {
      fail("store this node's incarnation in", file_);
    }
  }

 private:
  const std::filesystem::path file_;
  const Descriptor directory_;
};

std::uint64_t microseconds(std::chrono::system_clock::time_point now) {
  const auto since_1970 = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(since_1970, 1));
}

}  // namespace

std::uint64_t next_incarnation(const std::filesystem::path& directory, std::chrono::system_clock::time_point now) {
  const Store store(directory);
  const std::uint64_t next = std::max(microseconds(now), store.read().value_or(0) + 1);
  store.write(next);
  return next;
}

void store_incarnation(const std::filesystem::path& directory, std::uint64_t incarnation) {
  const Store store(directory);
  if (store.read().value_or(0) < incarnation) store.write(incarnation);
}

std::optional<std::uint64_t> stored_incarnation(const std::filesystem::path& directory) {
  const Descriptor opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return opened.get() < 0 ? std::nullopt : read_number(opened.get());
}

std::uint64_t unstored_incarnation(std::chrono::system_clock::time_point now) {
  return microseconds(now) + (std::random_device{}() & 0x3FFU);
}

}  // namespace busbar::registry
