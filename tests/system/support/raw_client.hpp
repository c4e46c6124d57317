// Somebody who speaks to the admin socket byte by byte, and may say what no client should.
#pragma once

#include <busbar/wire/admin.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

namespace busbar::system_tests {

/// Ownership: the connection, ended by the destructor. Threads: one.
class RawClient {
 public:
  /// Errors: std::runtime_error where nobody listens.
  explicit RawClient(const std::filesystem::path& socket);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  /// Sends all of it, or as much as the host takes.
  void send(std::span<const std::uint8_t> bytes) const;
  /// Sends `body` as a frame.
  void send_frame(std::span<const std::uint8_t> body) const;
  /// The next answer; nothing where the host has closed the connection.
  std::optional<wire::AdminAnswer> receive() const;

 private:
  bool read_all(std::uint8_t* into, std::size_t size) const;
  int socket_ = -1;
};

}  // namespace busbar::system_tests
