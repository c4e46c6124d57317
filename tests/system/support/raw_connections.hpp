// Plain TCP connections, for those who do not speak as hosts do.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace busbar::system_tests {

/// Ownership: the connections, ended by the destructor. Threads: one.
class RawConnections {
 public:
  /// `address`: tcp://IPv4:PORT.
  explicit RawConnections(const std::string& address);
  ~RawConnections();
  RawConnections(const RawConnections&) = delete;
  RawConnections& operator=(const RawConnections&) = delete;

  /// Those that are opened from here on come from that address, one of the loopback's.
  void come_from(const std::string& address);
  /// Opens one more, and says that over it. Returns whether there was one.
  bool open(std::span<const std::uint8_t> bytes = {});
  /// Opens so many, and says that over each when the other side has begun to speak, as ZeroMQ does at once. Returns how
  /// many it has spoken to.
  std::size_t open_greeted(std::size_t count, std::span<const std::uint8_t> bytes);
  /// Over the newest. False: it has ended.
  bool send(std::span<const std::uint8_t> bytes) const;
  /// How many the other side has ended. What it has sent is thrown away.
  std::size_t ended() const;
  std::size_t size() const { return all_.size(); }
  void close();

 private:
  int begin_connecting();

  std::uint16_t port_ = 0;
  std::uint32_t host_ = 0;
  std::uint32_t from_ = 0;  // 0: any
  std::vector<int> all_;
};

/// What a ZMTP 3.0 peer says first, with a mechanism of up to 20 characters: "NULL", "CURVE".
std::vector<std::uint8_t> zmtp_greeting(const std::string& mechanism);

}  // namespace busbar::system_tests
