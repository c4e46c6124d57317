// Whether what came to the ROUTER before a moment has been read.
#pragma once

#include <cstdint>

namespace busbar::host {

/// The thread that reads the ROUTER, for one that is about to end calls whose answers may have come there (C-R6).
/// Threads: any.
class RequestReader {
 public:
  virtual ~RequestReader() = default;
  /// Has it read all that has come by now. Returns what to ask `has_read` for: never 0.
  virtual std::uint64_t ask_to_read() noexcept = 0;
  virtual bool has_read(std::uint64_t asked) const noexcept = 0;
};

}  // namespace busbar::host
