// A mutex that clang's thread-safety analysis understands (-Wthread-safety; an error in our builds with clang).
#pragma once

#include <mutex>

#if defined(__clang__)
#define BUSBAR_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define BUSBAR_THREAD_ATTRIBUTE(x)
#endif

/// A member that is read and written only with the named mutex held.
#define BUSBAR_GUARDED_BY(mutex) BUSBAR_THREAD_ATTRIBUTE(guarded_by(mutex))
/// A function that is called with the named mutex held.
#define BUSBAR_REQUIRES(mutex) BUSBAR_THREAD_ATTRIBUTE(requires_capability(mutex))
/// A function that takes the named mutex itself, and so must be called without it.
#define BUSBAR_EXCLUDES(mutex) BUSBAR_THREAD_ATTRIBUTE(locks_excluded(mutex))

namespace busbar {

/// std::mutex with the annotations that it lacks in libstdc++.
class BUSBAR_THREAD_ATTRIBUTE(capability("mutex")) Mutex {
 public:
  void lock() BUSBAR_THREAD_ATTRIBUTE(acquire_capability()) { mutex_.lock(); }
  void unlock() BUSBAR_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

/// Holds a Mutex while it lives. To wait, use std::condition_variable_any on the Mutex itself.
class BUSBAR_THREAD_ATTRIBUTE(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) BUSBAR_THREAD_ATTRIBUTE(acquire_capability(mutex)) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() BUSBAR_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace busbar
