// The command line's end of the admin socket.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "failure.hpp"
#include "host_client.hpp"

namespace busbar::cli {

/// How long a host may be silent before it is held for one that does not answer at all.
inline constexpr std::chrono::milliseconds kHostPatience{10'000};
inline constexpr std::chrono::milliseconds kForEver{0};

/// A connection to the host of a run directory. The host keeps the time of what is asked for, which may be long: until
/// its first scan is over, until a call is answered. Whether it goes on at all is asked beside that, by its status,
/// which it tells at once.
class AdminClient final : public HostClient {
 public:
  /// Connects. `patience`: with a host that goes on no more; it says nothing of one that does.
  /// Errors: Failure with status no_host, which says what was tried.
  explicit AdminClient(const std::filesystem::path& run_dir, std::chrono::milliseconds patience = kForEver);
  ~AdminClient() override;

  /// The connection's socket, to watch for its end.
  int descriptor() const noexcept { return fd_; }

  wire::AdminAnswer ask(const wire::AdminRequest& request) override;

 private:
  void send(const std::vector<std::uint8_t>& frame);
  std::vector<std::uint8_t> receive();
  void limit_silence(std::chrono::milliseconds silence) const;
  void expect_alive() const;
  [[noreturn]] void host_is_gone(const std::string& how) const;

  std::filesystem::path run_dir_;
  std::filesystem::path socket_;
  std::chrono::milliseconds patience_;
  std::chrono::steady_clock::time_point asked_at_{};
  bool asks_status_ = false;
  int fd_ = -1;
};

/// Whether the host answers when it is asked for its status, within half of `patience`; whatever it says.
bool is_host_alive(const std::filesystem::path& run_dir, std::chrono::milliseconds patience = kHostPatience);
/// Of one that is not. `silence`: for how long it has not answered.
Failure silent_host(const std::filesystem::path& run_dir, std::chrono::steady_clock::duration silence);

}  // namespace busbar::cli
