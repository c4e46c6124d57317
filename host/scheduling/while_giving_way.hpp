// Work that lets those go first that serve calls.
#pragma once

#include <exception>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "scheduling/give_way.hpp"

namespace busbar::host {

/// Calls `work` on a thread of its own that gives way, waits for it, and returns what it returns, or throws what it
/// throws. Where no thread can be had, on the calling one.
template <class Work>
auto while_giving_way(Work work) {
  std::optional<decltype(work())> out;
  std::exception_ptr thrown;
  const auto run = [&] {
    try {
      out = work();
    } catch (...) {
      thrown = std::current_exception();
    }
  };
  try {
    std::thread([&] {
      give_way();
      run();
    }).join();
  } catch (const std::system_error&) {
    run();
  }
  if (thrown) std::rethrow_exception(thrown);
  return *std::move(out);
}

}  // namespace busbar::host
