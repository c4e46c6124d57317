#include "file_text.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "busbar/keys/key_file.hpp"

namespace busbar::keys {

namespace {

constexpr std::size_t kLargestFile = 16 * 1024;

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return number_; }

 private:
  const int number_;
};

[[noreturn]] void fail(const char* attempt, const std::filesystem::path& file, const std::string& found) {
  throw KeyError(std::string("could not ") + attempt + " key file " + shown(file) + ": " + found);
}

std::string octal(mode_t mode) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "%04o", static_cast<unsigned>(mode & 07777U));
  return text.data();
}

void check_owner(const std::filesystem::path& file, int descriptor, mode_t forbidden, std::string_view must) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) fail("read", file, error_text(errno));
  if (!S_ISREG(status.st_mode)) fail("read", file, "found something else there, expected a file");
  if ((status.st_mode & forbidden) != 0) {
    fail("read", file, "found mode " + octal(status.st_mode) + ", expected that " + std::string(must));
  }
  if (status.st_uid != ::geteuid() && status.st_uid != 0) {
    fail("read", file,
         "it belongs to user " + std::to_string(status.st_uid) + ", expected user " + std::to_string(::geteuid()) +
             ", who runs this process, or root");
  }
}

}  // namespace

std::string shown(const std::filesystem::path& path) {
  std::string out = "\"";
  for (const char c : path.native()) out += static_cast<unsigned char>(c) < ' ' || c == 0x7F || c == '"' ? '?' : c;
  return out + '"';
}

std::string error_text(int error) { return std::generic_category().message(error); }

std::string read_small_file(const std::filesystem::path& file, mode_t forbidden, std::string_view must) {
  // Not waiting for a writer, should it be a pipe.
  const Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (descriptor.get() < 0) fail("read", file, error_text(errno));
  check_owner(file, descriptor.get(), forbidden, must);
  std::string text(kLargestFile + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t count = ::read(descriptor.get(), text.data() + size, text.size() - size);
    if (count == 0) break;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("read", file, error_text(errno));
    size += static_cast<std::size_t>(count);
  }
  if (size > kLargestFile) fail("read", file, "found more than 16 KiB, expected a key");
  text.resize(size);
  return text;
}

void make_file(const std::filesystem::path& file, std::string_view text, mode_t mode) {
  const Descriptor descriptor(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (descriptor.get() < 0) {
    fail("write", file,
         errno == EEXIST ? "found a file there already, which is never touched; choose another name or --label"
                         : error_text(errno));
  }
  int error = 0;
  for (std::size_t at = 0; at < text.size() && error == 0;) {
    const ssize_t count = ::write(descriptor.get(), text.data() + at, text.size() - at);
    if (count >= 0) at += static_cast<std::size_t>(count);
    if (count < 0 && errno != EINTR) error = errno;
  }
  if (error == 0 && ::fsync(descriptor.get()) != 0) error = errno;
  if (error == 0) return;
  ::unlink(file.c_str());
  fail("write", file, error_text(error));
}

}  // namespace busbar::keys
