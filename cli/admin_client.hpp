// The command line's end of the admin socket.
#pragma once

#include <busbar/wire/admin.hpp>

#include <filesystem>

namespace busbar::cli {

/// A connection to the host of a run directory. Threads: one at a time.
class AdminClient {
 public:
  /// Connects. Errors: Failure with status no_host, which says what was tried.
  explicit AdminClient(const std::filesystem::path& run_dir);
  ~AdminClient();
  AdminClient(const AdminClient&) = delete;
  AdminClient& operator=(const AdminClient&) = delete;

  /// Sends a request and waits for its answer, for as long as the host lives: the host keeps the time.
  /// Errors: Failure; of status no_host where the host ends first, or says that it is stopping.
  wire::AdminAnswer ask(const wire::AdminRequest& request);

 private:
  void send(const std::vector<std::uint8_t>& frame);
  std::vector<std::uint8_t> receive();
  [[noreturn]] void host_is_gone(const std::string& how) const;

  std::filesystem::path socket_;
  int fd_ = -1;
};

}  // namespace busbar::cli
