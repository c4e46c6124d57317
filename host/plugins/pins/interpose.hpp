// Functions of the system's that this program has its own versions of.
#pragma once

#include <dlfcn.h>

namespace busbar::host {

/// Whether there are such. Sanitizers have their own versions, and keep every image.
#if defined(BUSBAR_SANITIZE_ADDRESS) || defined(BUSBAR_SANITIZE_THREAD)
inline constexpr bool kInterposes = false;
#else
inline constexpr bool kInterposes = true;
#endif

/// The system's own version of a function. It must exist.
template <class Function>
Function* system_function(const char* name) noexcept {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace busbar::host
