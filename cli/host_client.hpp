// The way to a host, whichever it is.
#pragma once

#include <busbar/wire/admin.hpp>

#include <cstdint>
#include <span>
#include <string_view>

namespace busbar::cli {

/// A connection to a host. Threads: one at a time.
class HostClient {
 public:
  HostClient() = default;
  virtual ~HostClient() = default;
  HostClient(const HostClient&) = delete;
  HostClient& operator=(const HostClient&) = delete;

  /// Asks, and waits for the answer, which is never an error's.
  /// Errors: Failure; of status no_host where the host ends first, or says that it is stopping.
  virtual wire::AdminAnswer ask(const wire::AdminRequest& request) = 0;
};

/// An answer as a host sends it, for both ways. Errors: Failure where it cannot be read, or is an error.
wire::AdminAnswer read_answer(std::span<const std::uint8_t> bytes);

/// What a host sent is no answer.
[[noreturn]] void refuse_answer(std::string_view why);

}  // namespace busbar::cli
