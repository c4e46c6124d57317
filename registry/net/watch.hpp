// Which of very many descriptors have something to say.
#pragma once

#include <cstdint>
#include <vector>

namespace busbar::registry::net {

/// What waiting costs grows with the descriptors that have something to say, not with those that are watched.
/// Threads: one at a time.
class Watch {
 public:
  /// Errors: SocketError.
  Watch();
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  /// A descriptor that is watched for as long as this lives; it stays open for longer. Ownership: the watch outlives
  /// it.
  class Entry {
   public:
    /// `token`: what `wait` says of it. Errors: SocketError.
    Entry(const Watch& watch, int descriptor, std::uint64_t token);
    ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   private:
    const Watch& watch_;
    const int descriptor_;
  };

  /// Waits until one can be read, or until the time is over. The tokens of those that can, of very many not all; the
  /// others come the next time. Valid until then.
  const std::vector<std::uint64_t>& wait(int timeout_ms);

 private:
  const int descriptor_;
  std::vector<std::uint64_t> ready_;
};

}  // namespace busbar::registry::net
