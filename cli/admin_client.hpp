// The command line's end of the admin socket.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "host_client.hpp"

namespace busbar::cli {

/// A connection to the host of a run directory. The host keeps the time of what is asked for.
class AdminClient final : public HostClient {
 public:
  /// Connects. Errors: Failure with status no_host, which says what was tried.
  explicit AdminClient(const std::filesystem::path& run_dir);
  ~AdminClient() override;

  /// The connection's socket, to watch for its end.
  int descriptor() const noexcept { return fd_; }

  wire::AdminAnswer ask(const wire::AdminRequest& request) override;

 private:
  void send(const std::vector<std::uint8_t>& frame);
  std::vector<std::uint8_t> receive();
  [[noreturn]] void host_is_gone(const std::string& how) const;

  std::filesystem::path socket_;
  int fd_ = -1;
};

}  // namespace busbar::cli
