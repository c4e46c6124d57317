// Many calls over the admin socket.
#pragma once

#include <busbar/wire/frame_buffer.hpp>

#include <deque>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "admin_client.hpp"
#include "bench/call_pipe.hpp"

namespace busbar::cli {

/// As many connections as it takes: a host serves 64 requests of each at a time.
class AdminPipe final : public CallPipe {
 public:
  /// Connects. `call`: what is called. Errors: as AdminClient's.
  AdminPipe(const std::filesystem::path& run_dir, wire::AdminRequest call, std::size_t callers);

  void begin(std::size_t caller, std::uint64_t number) override;
  void flush() override;
  void take(std::vector<wire::AdminAnswer>& answers) override;
  void watch(std::vector<zmq_pollitem_t>& items) override;

 private:
  struct Connection {
    explicit Connection(const std::filesystem::path& run_dir);

    AdminClient client;
    wire::FrameBuffer incoming;
    std::deque<std::uint64_t> begun;  // and not written yet
    std::vector<std::uint8_t> outgoing;
    std::size_t sent = 0;  // of `outgoing`
    bool takes_no_more = false;
  };

  void flush(Connection& connection);
  bool write(Connection& connection);
  void take(Connection& connection, std::vector<wire::AdminAnswer>& answers);
  void put_together(Connection& connection, std::span<const std::uint8_t> bytes,
                    std::vector<wire::AdminAnswer>& answers);

  wire::AdminRequest call_;
  std::vector<std::unique_ptr<Connection>> connections_;
};

}  // namespace busbar::cli
