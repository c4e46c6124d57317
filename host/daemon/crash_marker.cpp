#include "daemon/crash_marker.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <set>
#include <system_error>

#include "dispatch/whereabouts.hpp"
#include "plugins/file/descriptor_guard.hpp"

namespace busbar::host {

namespace {

namespace fs = std::filesystem;

constexpr std::array<char, 8> kMagic = {'B', 'U', 'S', 'B', 'M', 'R', 'K', '1'};
constexpr std::size_t kPlugins = 128;  // that were loaded, the last two of each file
constexpr std::size_t kPlaces = 1536;  // threads beyond that are told of only where they crash themselves

template <std::size_t kSize>
void put(std::array<char, kSize>& to, std::string_view text) noexcept {
  to[text.copy(to.data(), kSize - 1)] = '\0';
}
template <std::size_t kSize>
std::string text_of(const std::array<char, kSize>& from) {
  return {from.data(), ::strnlen(from.data(), kSize)};
}

struct PluginEntry {
  std::uint32_t number;
  std::array<char, 64> plugin;
  std::array<char, 256> file;
  std::array<char, 72> digest;
  std::array<char, 400> copy;
};

// As it lies in the file. All zero is a host that has loaded nothing and does not crash.
struct Content {
  std::array<char, 8> magic;
  std::uint32_t ended;    // in order
  std::uint32_t crashed;  // what follows counts
  std::uint32_t crashed_in;
  std::int32_t pid;
  std::int64_t crashed_at_s;
  std::array<char, 200> what;
  std::array<char, 400> code;
  std::array<PluginEntry, kPlugins> plugins;
  std::array<Place, kPlaces> places;
};

std::atomic<Content*> current{nullptr};

const PluginEntry* find(const Content& content, std::uint32_t number) {
  const auto found = std::find_if(content.plugins.begin(), content.plugins.end(),
                                  [&](const PluginEntry& entry) { return entry.number == number; });
  return number == 0 || found == content.plugins.end() ? nullptr : &*found;
}

// Where one more of that file is written: in the place of the one before the last of it; else where nothing is, or what
// is oldest.
PluginEntry& room_for(Content& content, const std::string& file) {
  PluginEntry* oldest = &content.plugins.front();
  PluginEntry* oldest_of_file = nullptr;
  int of_file = 0;
  for (PluginEntry& entry : content.plugins) {
    if (entry.number < oldest->number) oldest = &entry;
    if (entry.number == 0 || text_of(entry.file) != file) continue;
    ++of_file;
    if (oldest_of_file == nullptr || entry.number < oldest_of_file->number) oldest_of_file = &entry;
  }
  return of_file >= 2 ? *oldest_of_file : *oldest;
}

// By whose code it was: of a thread of a plugin's own nothing else is known.
const PluginEntry* find(const Content& content, const std::string& code) {
  if (code.empty()) return nullptr;
  const auto found = std::find_if(content.plugins.begin(), content.plugins.end(),
                                  [&](const PluginEntry& entry) { return text_of(entry.copy) == code; });
  return found == content.plugins.end() ? nullptr : &*found;
}

std::optional<LastEnd> read(const fs::path& file) {
  const auto content = std::make_unique<Content>();
  std::ifstream in(file, std::ios::binary);
  in.read(reinterpret_cast<char*>(content.get()), sizeof(Content));
  if (static_cast<std::size_t>(in.gcount()) != sizeof(Content) || content->magic != kMagic) return std::nullopt;
  if (content->ended != 0) return std::nullopt;
  LastEnd end;
  std::set<std::string> inside;
  for (const Place& place : content->places) {
    if (const PluginEntry* entry = find(*content, place.load(std::memory_order_relaxed))) {
      inside.insert(text_of(entry->plugin));
    }
  }
  end.inside.assign(inside.begin(), inside.end());
  if (content->crashed == 0) return end;
  end.what = text_of(content->what);
  const PluginEntry* plugin = find(*content, text_of(content->code));
  if (plugin == nullptr) plugin = find(*content, content->crashed_in);
  if (plugin != nullptr) {
    end.crash = {content->crashed_at_s, text_of(plugin->file), text_of(plugin->digest), text_of(plugin->plugin),
                 end.what};
  }
  return end;
}

[[noreturn]] void fail(const char* what, const fs::path& file) {
  throw std::system_error(errno, std::generic_category(),
                          std::string("could not ") + what + " \"" + file.string() + "\"");
}

Content& make(const fs::path& file) {
  fs::path next = file;
  next += ".new";
  const DescriptorGuard descriptor(::open(next.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (descriptor.get() < 0) fail("make", next);
  // All of it, now: a page that there is no room for would end the host when it is written to.
  if (const int error = ::posix_fallocate(descriptor.get(), 0, sizeof(Content)); error != 0) {
    errno = error;
    fail("make", next);
  }
  void* const memory = ::mmap(nullptr, sizeof(Content), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.get(), 0);
  if (memory == MAP_FAILED) fail("map", next);
  auto& content = *static_cast<Content*>(memory);  // all of it is zero, as it should be
  content.magic = kMagic;
  content.pid = ::getpid();
  if (::rename(next.c_str(), file.c_str()) != 0) fail("make", file);
  return content;
}

// A plugin that ends the process by exit() is not told apart from a crash by anybody else.
void note_exit() noexcept {
  const Content* const content = current.load();
  if (content == nullptr || content->ended != 0) return;
  if (Whereabouts::number_here() != 0) CrashMarker::note_crash("exit", {});
}

}  // namespace

CrashMarker::CrashMarker(const fs::path& state_directory) {
  const fs::path file = state_directory / "crash-marker";
  last_end_ = read(file);
  try {
    Content& content = make(file);
    Whereabouts::keep_in(content.places);
    if (current.exchange(&content) == nullptr) std::atexit(&note_exit);
  } catch (const std::system_error& failure) {
    problem_ = failure.what();
  }
}

void CrashMarker::enters(const Entering& plugin) noexcept {
  Content* const content = current.load();
  if (content == nullptr) return;
  PluginEntry& entry = room_for(*content, plugin.file);
  entry.number = 0;
  put(entry.plugin, plugin.plugin);
  put(entry.file, plugin.file);
  put(entry.digest, plugin.digest);
  put(entry.copy, plugin.copy.filename().native());
  entry.number = plugin.number;
}

void CrashMarker::ended_in_order() noexcept {
  if (Content* const content = current.load()) content->ended = 1;
}

void CrashMarker::note_crash(std::string_view what, std::string_view code) noexcept {
  Content* const content = current.load();
  // A child that a plugin has forked writes to the same memory, and is not the host.
  if (content == nullptr || content->crashed != 0 || content->pid != ::getpid()) return;
  put(content->what, what);
  put(content->code, code);
  content->crashed_in = Whereabouts::number_here();
  content->crashed_at_s = ::time(nullptr);
  content->crashed = 1;
}

}  // namespace busbar::host
