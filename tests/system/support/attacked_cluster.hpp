// Two hosts with keys that are called all the time, while something is done to one of them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "system/support/callers.hpp"
#include "system/support/test_keys.hpp"

namespace busbar::system_tests {

/// Rubbish without end is one thing that is looked at, and being shut out for it another.
inline constexpr const char* kPatient =
    "[registry]\nheartbeat = \"200ms\"\nlost_after = \"3s\"\n"
    "[limits]\nprotocol_errors = 1000000000\nhandshakes = 1000000\nstrangers = 200\n";

/// Host b is attacked. At the end calls must still go on, and none may have failed.
class AttackedCluster : public ClusterTest {
 protected:
  /// Hosts a and b; b is called all the time, from a node of this process's own.
  void start(const std::string& configuration = kPatient) { start(configuration, configuration); }
  /// The same with a configuration of each.
  void start(const std::string& of_a, const std::string& of_b);
  void TearDown() override;

  /// How many host b says that it has turned away for that.
  std::uint64_t turned_away(const char* why) const;
  bool counted(const char* why, std::uint64_t least = 1) const;
  /// How many lines of host b's log have both.
  std::size_t lines_with(const std::string& text, const std::string& other = {}) const;
  /// Of host b.
  long resident_kib() const;
  /// What the same takes again, it has taken before: in one of several rounds nothing is added, as none would be where
  /// something were kept of each.
  template <class Attack>
  void expect_no_growth(Attack attack) {
    attack();
    if (under_any_sanitizer()) return;  // whose own memory grows
    for (int round = 0; round < 5; ++round) {
      const long before = resident_kib();
      attack();
      if (resident_kib() <= before * 105 / 100 + 512) return;
    }
    ADD_FAILURE() << "each round adds to its memory, which has " << resident_kib() << " KiB";
  }
  std::vector<std::string> planes() const { return {calls, registry}; }

  TestKeys keys;
  std::string calls, registry;  // host b's addresses
  std::unique_ptr<Node> node;
  std::unique_ptr<SteadyCallers> callers;
};

std::vector<std::uint8_t> bytes_of(const wire::Envelope& envelope);
/// A request as a client sends it.
wire::Envelope request_of(std::string_view service, std::uint64_t attempt);

/// Asks for what nobody offers, on a connection that is greeted, and waits until that has been answered: then all that
/// was said before has been read.
bool is_answered(Visitor& visitor);
/// The same on the registry's plane, where it says hello as a later start of that node.
bool is_answered(Visitor& visitor, registry::NodeRecord record);

}  // namespace busbar::system_tests
