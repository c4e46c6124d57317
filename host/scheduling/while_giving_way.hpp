// Work that lets those go first that serve calls.
#pragma once

#include <pthread.h>

#include <exception>
#include <optional>
#include <thread>
#include <utility>

#include "scheduling/give_way.hpp"

namespace busbar::host {

/// Calls `work` on a thread of its own that gives way, waits for it, and returns what it returns, or throws what it
/// throws. Where no thread can be had, on the calling one. `name`: of the thread, at most 15 bytes.
template <class Work>
auto while_giving_way(const char* name, Work work) {
  std::optional<decltype(work())> out;
  std::exception_ptr thrown;
  const auto run = [&] {
    try {
      out = work();
    } catch (...) {
      thrown = std::current_exception();
    }
  };
  std::thread apart;
  try {
    apart = std::thread([&] {
      ::pthread_setname_np(::pthread_self(), name);
      give_way();
      run();
    });
  } catch (const std::exception&) {
    run();
  }
  if (apart.joinable()) apart.join();
  if (thrown) std::rethrow_exception(thrown);
  return *std::move(out);
}

}  // namespace busbar::host
