#include "plugins/pins/keys.hpp"

#include <limits.h>
#include <pthread.h>
#include <threads.h>

#include <array>
#include <atomic>
#include <cerrno>

#include "plugins/pins/interpose.hpp"

namespace busbar::host {

namespace {

using Destructor = void (*)(void*);

// By key. There before any constructor has run, as libraries make keys in theirs.
constinit std::array<std::atomic<Destructor>, PTHREAD_KEYS_MAX> destructors{};

void note(pthread_key_t key, Destructor destructor) noexcept {
  if (key < destructors.size()) destructors[key].store(destructor, std::memory_order_release);
}

[[maybe_unused]] int create(pthread_key_t* key, Destructor destructor) noexcept {
  static auto* const of_system = system_function<int(pthread_key_t*, Destructor)>("pthread_key_create");
  const int result = of_system(key, destructor);
  if (result == 0) note(*key, destructor);
  return result;
}

[[maybe_unused]] int remove(pthread_key_t key) noexcept {
  static auto* const of_system = system_function<int(pthread_key_t)>("pthread_key_delete");
  note(key, nullptr);  // first: then the key may be another's
  return of_system(key);
}

}  // namespace

std::vector<const void*> key_destructors_in(const std::vector<AddressRange>& code) {
  std::vector<const void*> out;
  for (const auto& destructor : destructors) {
    const void* at = reinterpret_cast<const void*>(destructor.load(std::memory_order_acquire));
    if (at != nullptr && any_has(code, at)) out.push_back(at);
  }
  return out;
}

}  // namespace busbar::host

#if !defined(BUSBAR_SANITIZE_ADDRESS) && !defined(BUSBAR_SANITIZE_THREAD)

extern "C" {

__attribute__((visibility("default"))) int pthread_key_create(pthread_key_t* key, void (*destructor)(void*)) noexcept {
  return busbar::host::create(key, destructor);
}

__attribute__((visibility("default"))) int pthread_key_delete(pthread_key_t key) noexcept {
  return busbar::host::remove(key);
}

// The system's own versions of these do not ask ours above.
__attribute__((visibility("default"))) int tss_create(tss_t* key, tss_dtor_t destructor) {
  const int result = busbar::host::create(key, destructor);
  if (result == 0) return thrd_success;
  return result == ENOMEM ? thrd_nomem : thrd_error;
}

__attribute__((visibility("default"))) void tss_delete(tss_t key) { busbar::host::remove(key); }

}  // extern "C"

#endif
