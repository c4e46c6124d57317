// A network of several machines whose every way can be cut, delayed or made lossy, in one direction alone too.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace busbar::system_tests {

/// Each machine is a network namespace with one device, a TUN, and this is the switch between them: what one sends is
/// handed to the other, or is lost, or comes later. So it does what `tc qdisc … netem` and packet filters do, and needs
/// neither of them from the kernel. All is gone with the process, however that ends: nothing has a name.
/// Ownership: processes on its machines end before it. Threads: one uses it; one of its own moves the packets.
class Network {
 public:
  explicit Network(int machines);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  /// Why there is none: then the test is to be skipped. Empty: it stands.
  const std::string& problem() const;
  /// What names a machine for a `Command`.
  std::string machine(int number) const;
  /// Its address. Machines are numbered from 0.
  static std::string address(int number) { return "10.77.0." + std::to_string(number + 1); }

  /// What becomes of the packets from one machine to another.
  struct Way {
    bool cut = false;
    std::chrono::milliseconds delay{0};
    int loss = 0;  ///< of a hundred
  };
  /// In one direction.
  void set(int from, int to, const Way& way);
  void set_all(const Way& way);
  /// Nobody of the one side reaches anybody of the other.
  void part(const std::vector<int>& side, const std::vector<int>& other);
  void heal() { set_all({}); }

  struct Counts {
    std::uint64_t carried = 0;
    std::uint64_t lost = 0;
  };
  Counts counts() const;

 private:
  class Switch;
  std::unique_ptr<Switch> switch_;
};

}  // namespace busbar::system_tests
