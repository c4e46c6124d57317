#include "plugins/file/private_copy.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <mutex>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "plugins/file/descriptor_guard.hpp"

namespace busbar::host {

namespace {

constexpr std::size_t kPiece = 256 * 1024;
constexpr std::size_t kDigestInName = 16;
constexpr std::string_view kUnfinished = ".unfinished-";
constexpr std::string_view kProbe = ".probe-";

std::string in_quotes(const std::filesystem::path& path) { return "\"" + path.string() + "\""; }

std::string error_text() { return std::strerror(errno); }

/// BLAKE2b-256 of what it is given piece by piece.
class Digest {
 public:
  Digest() {
    // Cheap after the first time; it chooses the implementation that suits this processor.
    if (sodium_init() < 0) throw CopyError("could not start libsodium", false);
    crypto_generichash_init(&state_, nullptr, 0, kSize);
  }
  void add(std::span<const unsigned char> piece) { crypto_generichash_update(&state_, piece.data(), piece.size()); }
  std::string hexadecimal() {
    std::array<unsigned char, kSize> bytes{};
    crypto_generichash_final(&state_, bytes.data(), bytes.size());
    std::array<char, kSize * 2 + 1> text{};
    sodium_bin2hex(text.data(), text.size(), bytes.data(), bytes.size());
    return text.data();
  }

 private:
  static constexpr std::size_t kSize = crypto_generichash_BYTES;
  static_assert(kSize == 32);
  crypto_generichash_state state_{};
};

DescriptorGuard open_original(const std::filesystem::path& source) {
  DescriptorGuard file(::open(source.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.valid()) {
    // Linkers and editors delete before they create: a name may be gone for a moment.
    throw CopyError("could not read " + in_quotes(source) + ": " + error_text(), errno == ENOENT);
  }
  return file;
}

FileStamp stamp_of(const DescriptorGuard& file, const std::filesystem::path& path) {
  struct stat facts {};
  if (fstat(file.get(), &facts) != 0) throw CopyError("could not read " + in_quotes(path) + ": " + error_text(), false);
  if (!S_ISREG(facts.st_mode))
    throw CopyError("could not read " + in_quotes(path) + ": it is not a regular file", false);
  return host::stamp_of(facts);
}

/// Reads the file to its end, at most `size` bytes, and gives each piece to `use`; returns how many there were.
std::uint64_t read_pieces(const DescriptorGuard& file, const std::filesystem::path& path, std::uint64_t size,
                          const std::function<void(std::span<const unsigned char>)>& use) {
  std::vector<unsigned char> buffer(kPiece);
  std::uint64_t done = 0;
  while (done < size) {
    const ssize_t count = read(file.get(), buffer.data(), std::min<std::uint64_t>(buffer.size(), size - done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw CopyError("could not read " + in_quotes(path) + ": " + error_text(), false);
    if (count == 0) break;
    use({buffer.data(), static_cast<std::size_t>(count)});
    done += static_cast<std::uint64_t>(count);
  }
  return done;
}

void write_all(const DescriptorGuard& file, const std::filesystem::path& path, std::span<const unsigned char> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(file.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw CopyError("could not write " + in_quotes(path) + ": " + error_text(), false);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

/// A file that is removed unless it is kept.
class Unfinished {
 public:
  Unfinished(const std::filesystem::path& directory, std::string_view prefix) {
    static std::atomic<std::uint64_t> count = 0;
    path_ = directory / (std::string(prefix) + std::to_string(getpid()) + "-" + std::to_string(++count));
    // Exclusive: a name that somebody else has prepared is an error, never something to write through.
    file_ = DescriptorGuard(::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file_.valid())
      throw CopyError("could not make a file in " + in_quotes(directory) + ": " + error_text(), false);
  }
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;
  ~Unfinished() {
    if (!kept_) ::unlink(path_.c_str());
  }

  const DescriptorGuard& file() const { return file_; }
  const std::filesystem::path& path() const { return path_; }

  /// Gives the file its final name, and takes the right to write away.
  void keep_as(const std::filesystem::path& final_path) {
    if (fchmod(file_.get(), 0500) != 0 || rename(path_.c_str(), final_path.c_str()) != 0) {
      throw CopyError("could not make " + in_quotes(final_path) + ": " + error_text(), false);
    }
    kept_ = true;
  }

 private:
  std::filesystem::path path_;
  DescriptorGuard file_;
  bool kept_ = false;
};

/// The same path would give the library that was loaded from it before, whatever the file holds now (glibc compares
/// names first), so no name is given out twice, even after its file is gone.
std::string name_never_used(const std::string& wanted) {
  static std::mutex mutex;
  static std::set<std::string> used;
  const std::lock_guard lock(mutex);
  std::string name = wanted + ".so";
  for (int again = 2; !used.insert(name).second; ++again) name = wanted + "-" + std::to_string(again) + ".so";
  return name;
}

/// The name with everything replaced that has a meaning in paths or on terminals.
std::string harmless(const std::string& name) {
  std::string out;
  for (const char c : name.substr(0, 63)) {
    const bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                         c == '-' || (c == '.' && !out.empty());
    out += allowed ? c : '_';
  }
  return out.empty() ? "plugin" : out;
}

}  // namespace

PrivateCopy::PrivateCopy(PrivateCopy&& other) noexcept
    : path_(std::exchange(other.path_, {})), digest_(std::move(other.digest_)), original_(other.original_) {}

PrivateCopy& PrivateCopy::operator=(PrivateCopy&& other) noexcept {
  if (this == &other) return *this;
  remove();
  path_ = std::exchange(other.path_, {});
  digest_ = std::move(other.digest_);
  original_ = other.original_;
  return *this;
}

PrivateCopy::~PrivateCopy() { remove(); }

void PrivateCopy::remove() noexcept {
  if (!path_.empty()) ::unlink(path_.c_str());
  path_.clear();
}

PrivateCopy make_private_copy(const std::filesystem::path& source, const std::filesystem::path& cache_directory,
                              const std::string& name, std::uint64_t generation) {
  const DescriptorGuard original = open_original(source);
  const FileStamp before = stamp_of(original, source);
  Unfinished copy(cache_directory, kUnfinished);
  Digest digest;
  const std::uint64_t copied = read_pieces(original, source, before.size, [&](std::span<const unsigned char> piece) {
    digest.add(piece);
    write_all(copy.file(), copy.path(), piece);
  });
  // Both the file that was read and the one that has the name now: it may have been replaced meanwhile.
  if (copied != before.size || stamp_of(original, source) != before ||
      stamp_of(open_original(source), source) != before) {
    throw CopyError("file " + in_quotes(source) + " is still being written", true);
  }
  PrivateCopy out;
  out.digest_ = digest.hexadecimal();
  out.original_ = before;
  const std::string wanted =
      harmless(name) + "-" + std::to_string(generation) + "-" + out.digest_.substr(0, kDigestInName);
  const std::filesystem::path path = std::filesystem::absolute(cache_directory / name_never_used(wanted));
  copy.keep_as(path);
  out.path_ = path;
  return out;
}

std::string digest_of(const std::filesystem::path& file) {
  const DescriptorGuard original = open_original(file);
  Digest digest;
  read_pieces(original, file, UINT64_MAX, [&](std::span<const unsigned char> piece) { digest.add(piece); });
  return digest.hexadecimal();
}

namespace {

void make_directory(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    throw CopyError("could not make the cache directory " + in_quotes(path) + ": " + error_text(), false);
  }
}

void check_ours_alone(const std::filesystem::path& path) {
  struct stat facts {};
  const std::string what = "cache directory " + in_quotes(path);
  if (lstat(path.c_str(), &facts) != 0) throw CopyError(what + " cannot be used: " + error_text(), false);
  if (S_ISLNK(facts.st_mode)) throw CopyError(what + " is a symlink, expected a directory", false);
  if (!S_ISDIR(facts.st_mode)) throw CopyError(what + " is not a directory", false);
  if (facts.st_uid != geteuid()) {
    throw CopyError(what + " belongs to user " + std::to_string(facts.st_uid) + ", expected " +
                        std::to_string(geteuid()) + ", who runs this host",
                    false);
  }
  if ((facts.st_mode & 0777) != 0700) {
    std::array<char, 8> mode{};
    std::snprintf(mode.data(), mode.size(), "%04o", facts.st_mode & 0777);
    throw CopyError(what + " has the mode " + mode.data() + ", expected 0700: others could put code there", false);
  }
}

/// Maps a file from there as code, which is what a mount without the right to execute forbids.
void check_executable(const std::filesystem::path& path) {
  const Unfinished probe(path, kProbe);
  const std::array<unsigned char, 4096> page{};
  write_all(probe.file(), probe.path(), page);
  void* mapped = mmap(nullptr, page.size(), PROT_READ | PROT_EXEC, MAP_PRIVATE, probe.file().get(), 0);
  if (mapped == MAP_FAILED) {
    throw CopyError(
        "no code can be loaded from the cache directory " + in_quotes(path) + ": " + error_text() +
            (errno == EPERM || errno == EACCES ? " (it is probably mounted noexec); choose another one with --cache-dir"
                                               : ""),
        false);
  }
  munmap(mapped, page.size());
}

bool is_digest(std::string_view text) {
  return text.size() == kDigestInName && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// Whether a name is such as is made here: `NAME-GENERATION-DIGEST16.so`, with a number before the `.so` when the same
/// file was copied twice for one generation.
bool may_be_ours(std::string_view name) {
  if (name.starts_with(kUnfinished) || name.starts_with(kProbe)) return true;
  if (!name.ends_with(".so")) return false;
  name.remove_suffix(3);
  const auto last_part = [&] { return name.substr(name.rfind('-') + 1); };
  if (is_digest(last_part())) return true;
  name.remove_suffix(std::min(name.size(), last_part().size() + 1));
  return is_digest(last_part());
}

}  // namespace

void prepare_cache_directory(const std::filesystem::path& path) {
  if (!path.is_absolute()) throw CopyError("cache directory " + in_quotes(path) + " is not an absolute path", false);
  make_directory(path);
  check_ours_alone(path);
  check_executable(path);
}

std::size_t empty_cache_directory(const std::filesystem::path& path) {
  check_ours_alone(path);
  std::size_t count = 0;
  try {
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      if (entry.is_regular_file() && !entry.is_symlink() && may_be_ours(entry.path().filename().string())) {
        count += std::filesystem::remove(entry.path()) ? 1 : 0;
      }
    }
  } catch (const std::filesystem::filesystem_error& e) {
    throw CopyError("could not empty the cache directory " + in_quotes(path) + ": " + e.code().message(), false);
  }
  return count;
}

}  // namespace busbar::host
