#include "plugins/pins/threads.hpp"

#include <busbar/thread_safety.hpp>

#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <threads.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <new>

#include "plugins/pins/interpose.hpp"

namespace busbar::host {

namespace {

[[maybe_unused]] constexpr int kMostFrames = 64;
constexpr std::size_t kMostOrigins = 32;

// Code on whose behalf a thread was started: its start routine, and the return addresses of who created it.
struct Origins {
  std::array<const void*, kMostOrigins> addresses{};
  std::size_t count = 0;

  void add(const void* address) noexcept {
    if (count < addresses.size()) addresses[count++] = address;
  }
  bool any_in(const std::vector<AddressRange>& code) const noexcept {
    return std::any_of(addresses.begin(), addresses.begin() + count,
                       [&](const void* address) { return any_has(code, address); });
  }
};

struct Thread {
  void* (*start)(void*) = nullptr;
  int (*start_c11)(void*) = nullptr;  // in its place
  void* argument = nullptr;
  Origins origins;
  std::atomic<pid_t> id{0};
  Thread* before = nullptr;  // in the list
  Thread* next = nullptr;
};

// Nothing here has a constructor or a destructor that does something: threads are started before and after both.
constinit Mutex mutex;
Thread* first BUSBAR_GUARDED_BY(mutex) = nullptr;
thread_local constinit Thread* mine = nullptr;
constinit std::atomic<int> frames_below{0};  // of every thread: from `run_thread` down

void enlist(Thread& thread) noexcept {
  const MutexLock lock(mutex);
  thread.next = first;
  if (first != nullptr) first->before = &thread;
  first = &thread;
}

void strike_out(Thread& thread) noexcept {
  const MutexLock lock(mutex);
  (thread.before == nullptr ? first : thread.before->next) = thread.next;
  if (thread.next != nullptr) thread.next->before = thread.before;
}

// Of the program, or whatever this code is part of.
AddressRange find_own_code() noexcept {
  AddressRange own;
  dl_iterate_phdr(
      [](dl_phdr_info* image, std::size_t, void* out) {
        AddressRange& range = *static_cast<AddressRange*>(out);
        range = {UINTPTR_MAX, 0};
        for (int i = 0; i < image->dlpi_phnum; ++i) {
          if (image->dlpi_phdr[i].p_type != PT_LOAD) continue;
          const std::uintptr_t begin = image->dlpi_addr + image->dlpi_phdr[i].p_vaddr;
          range.begin = std::min(range.begin, begin);
          range.end = std::max(range.end, begin + image->dlpi_phdr[i].p_memsz);
        }
        return range.has(reinterpret_cast<const void*>(&find_own_code)) ? 1 : 0;
      },
      &own);
  return own;
}

// `frames`: of the creating thread, ours left out. What the host starts for itself is no plugin's, whichever called it.
void trace(Origins& origins, void* const* frames, int count) noexcept {
  static const AddressRange own = find_own_code();
  int at = 0;
  for (; at < count && !own.has(frames[at]); ++at) origins.add(frames[at]);
  const bool begun_there = at >= count - frames_below.load(std::memory_order_relaxed);
  if (mine == nullptr || !begun_there) return;
  for (std::size_t i = 0; i < mine->origins.count; ++i) origins.add(mine->origins.addresses[i]);
}

// By a key, as a thread may also end by pthread_exit or by being cancelled. What may run on it after that are the
// destructors of other keys, which are looked for by themselves.
pthread_key_t end_of_thread() noexcept {
  static const pthread_key_t key = [] {
    pthread_key_t made{};
    pthread_key_create(&made, [](void* ended) {
      mine = nullptr;
      strike_out(*static_cast<Thread*>(ended));
      delete static_cast<Thread*>(ended);
    });
    return made;
  }();
  return key;
}

void* run_thread(void* argument) {
  Thread& thread = *static_cast<Thread*>(argument);
  mine = &thread;
  thread.id.store(gettid(), std::memory_order_relaxed);
  pthread_setspecific(end_of_thread(), &thread);
  if (frames_below.load(std::memory_order_relaxed) == 0) {
    std::array<void*, 16> frames{};
    frames_below.store(backtrace(frames.data(), static_cast<int>(frames.size())), std::memory_order_relaxed);
  }
  if (thread.start_c11 == nullptr) return thread.start(thread.argument);
  return reinterpret_cast<void*>(static_cast<std::intptr_t>(thread.start_c11(thread.argument)));
}

// Takes what is to run out of `wanted`. As pthread_create.
[[maybe_unused]] int start(pthread_t* id, const pthread_attr_t* attributes, const Thread& wanted, void* const* frames,
                           int count) noexcept {
  using Create = int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static Create* const create = system_function<Create>("pthread_create");
  auto* thread = new (std::nothrow) Thread;
  if (thread == nullptr) return EAGAIN;
  thread->start = wanted.start;
  thread->start_c11 = wanted.start_c11;
  thread->argument = wanted.argument;
  thread->origins.add(wanted.start != nullptr ? reinterpret_cast<const void*>(wanted.start)
                                              : reinterpret_cast<const void*>(wanted.start_c11));
  trace(thread->origins, frames, count);
  end_of_thread();  // made here rather than on the new thread: its plugin cannot do without
  enlist(*thread);
  const int result = create(id, attributes, &run_thread, thread);
  if (result != 0) {
    strike_out(*thread);
    delete thread;
  }
  return result;
}

std::string name_of(pid_t id) {
  std::ifstream file("/proc/self/task/" + std::to_string(id) + "/comm");
  std::string name;
  std::getline(file, name);
  return name;
}

}  // namespace

bool watches_threads() noexcept {
  if constexpr (!kInterposes) return false;
  return dlsym(RTLD_DEFAULT, "pthread_create") == reinterpret_cast<void*>(&pthread_create);
}

std::vector<LiveThread> threads_started_in(const std::vector<AddressRange>& code) {
  std::vector<LiveThread> out;
  {
    const MutexLock lock(mutex);
    for (Thread* thread = first; thread != nullptr; thread = thread->next) {
      if (thread->origins.any_in(code)) out.push_back({thread->id.load(std::memory_order_relaxed), {}});
    }
  }
  for (LiveThread& thread : out) thread.name = name_of(thread.id);
  return out;
}

}  // namespace busbar::host

#if !defined(BUSBAR_SANITIZE_ADDRESS) && !defined(BUSBAR_SANITIZE_THREAD)

// The frames are taken here, where it is known how many of ours there are: one.
extern "C" __attribute__((visibility("default"))) int pthread_create(pthread_t* id, const pthread_attr_t* attributes,
                                                                     void* (*routine)(void*), void* argument) noexcept {
  std::array<void*, busbar::host::kMostFrames> frames;
  const int count = backtrace(frames.data(), busbar::host::kMostFrames);
  busbar::host::Thread wanted;
  wanted.start = routine;
  wanted.argument = argument;
  return busbar::host::start(id, attributes, wanted, frames.data() + 1, count - 1);
}

// The system's own makes a thread without asking our pthread_create; what thrd_join gets is what pthread_join does.
extern "C" __attribute__((visibility("default"))) int thrd_create(thrd_t* id, thrd_start_t routine, void* argument) {
  std::array<void*, busbar::host::kMostFrames> frames;
  const int count = backtrace(frames.data(), busbar::host::kMostFrames);
  busbar::host::Thread wanted;
  wanted.start_c11 = routine;
  wanted.argument = argument;
  const int result = busbar::host::start(id, nullptr, wanted, frames.data() + 1, count - 1);
  if (result == 0) return thrd_success;
  return result == ENOMEM || result == EAGAIN ? thrd_nomem : thrd_error;
}

#endif
