// Many calls over the call plane.
#pragma once

#include <deque>

#include "bench/call_pipe.hpp"
#include "call_client.hpp"

namespace busbar::cli {

/// One connection.
class PlanePipe final : public CallPipe {
 public:
  /// Connects. `call`: what is called. Errors: as CallClient's.
  PlanePipe(CallClientOptions options, wire::AdminRequest call);

  void begin(std::size_t caller, std::uint64_t number) override;
  void flush() override;
  void take(std::vector<wire::AdminAnswer>& answers) override;
  void watch(std::vector<zmq_pollitem_t>& items) override;

 private:
  wire::AdminRequest call_;
  CallClient client_;
  std::deque<std::uint64_t> begun_;  // and not sent yet
};

}  // namespace busbar::cli
