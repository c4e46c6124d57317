// From the rename of a plugin's newer file to the first answer by it, and the steps that can be seen from outside: in
// the host's cache the private copy is begun when the file has settled, and has its name when it is whole.
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <stdexcept>
#include <vector>

#include "reload/reload.hpp"
#include "reload/reloaded_host.hpp"
#include "support.hpp"

namespace bench {

namespace {

constexpr int kPauseUs = 100;  // between two calls: a caller that does not pause takes a processor from the host

class CacheWatch {
 public:
  explicit CacheWatch(const std::filesystem::path& cache) : descriptor_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    if (::inotify_add_watch(descriptor_, cache.c_str(), IN_MOVED_TO) < 0) {
      throw std::runtime_error("the host's cache cannot be watched");
    }
  }
  ~CacheWatch() { ::close(descriptor_); }
  CacheWatch(const CacheWatch&) = delete;
  CacheWatch& operator=(const CacheWatch&) = delete;

  void look() {
    alignas(inotify_event) std::array<char, 4096> buffer{};
    const ssize_t size = ::read(descriptor_, buffer.data(), buffer.size());
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      copied = now_ns();
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
  }

  Nanos copied = 0;

 private:
  const int descriptor_;
};

struct Times {
  std::vector<double> copied, rest, whole;
};

void reload(ReloadedHost& host, CacheWatch& watch, Times& times) {
  const auto since = [](Nanos from, Nanos to) { return static_cast<double>(to - from) / kMillisecond; };
  const Nanos before = now_ns();
  const std::int64_t version = host.move_in();
  for (;;) {
    const bool answered = host.call() == version;
    const Nanos now = now_ns();
    watch.look();
    if (answered) {
      times.copied.push_back(since(before, watch.copied));
      times.rest.push_back(since(watch.copied, now));
      times.whole.push_back(since(before, now));
      return;
    }
    ::usleep(kPauseUs);
  }
}

}  // namespace

void measure_first_answer(const ReloadOptions& options) {
  std::printf("\nfrom the file that is moved in to the first answer by it, %d rounds of %d (ms: median, most)\n",
              options.rounds, options.reloads);
  for (const Placement& at :
       {Placement{"unpinned", kUnpinned, kUnpinned, false}, Placement{"caller on CPU 0, host on 1", 0, 1, false}}) {
    Times times;
    for (int round = 0; round < options.rounds; ++round) {
      run_on(at.worker);
      ReloadedHost host;
      run_on(at.caller);
      CacheWatch watch(host.cache());
      for (int i = 0; i < options.reloads; ++i) reload(host, watch, times);
      run_on(kUnpinned);
    }
    const auto print = [](const char* what, const std::vector<double>& values, const char* asked) {
      std::printf("  %-40s %7.2f %7.2f   %s\n", what, median(values), *std::max_element(values.begin(), values.end()),
                  asked);
    };
    std::printf("%s\n", at.name);
    print("the whole", times.whole, "");
    print("… noticed, settled, copied", times.copied, "");
    print("… checked, tried, loaded, published", times.rest, "");
    std::fflush(stdout);
  }
}

}  // namespace bench
