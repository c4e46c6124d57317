// Keys for the hosts and clients of a test, and somebody who comes with one of them and says what a test wants.
#pragma once

#include <busbar/keys/key_file.hpp>
#include <busbar/wire/envelope.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include <zmq.hpp>

#include "support/key_folder.hpp"
#include "system/support/test_host.hpp"
#include "wire/message.hpp"

namespace busbar::system_tests {

/// Pairs of keys, and a directory of those that are let in.
class TestKeys {
 public:
  /// Makes a pair, and lists it. `label`: beside another one of that name; the pair is then called NAME.LABEL below.
  const keys::WrittenPair& make(const std::string& name, keys::Role role = keys::Role::node,
                                const std::string& label = {});
  /// The same without listing it.
  const keys::WrittenPair& make_unlisted(const std::string& name, keys::Role role = keys::Role::node,
                                         const std::string& label = {});
  void list(const std::string& pair) const { listed_.list(of(pair).public_file); }
  void take_away(const std::string& pair) const;
  /// Makes a pair, lists it, and waits until that host has noticed.
  void let_in(const TestHost& host, const std::string& name, keys::Role role = keys::Role::node);
  const keys::WrittenPair& of(const std::string& pair) const { return pairs_.at(pair); }

  /// A host's flags; `node`: its name.
  std::vector<std::string> flags(const std::string& node, const std::string& pair = {}) const;
  /// Those of `busbar`, for a host with `host`'s key.
  std::vector<std::string> client_flags(const std::string& pair, const std::string& host) const;

 private:
  keys::KeyFolder made_, listed_;
  std::map<std::string, keys::WrittenPair> pairs_;
};

/// A connection to one of a host's two planes, with a key or without, over which anything can be said. Threads: one.
class Visitor {
 public:
  /// `pair`, `host`: with which key, and whose it expects there; null: it has none.
  Visitor(const std::string& address, const keys::WrittenPair* pair, const keys::WrittenPair* host);

  /// Waits where the connection takes no more. Throws `std::runtime_error` where that is for longer than `kLimit`.
  void say(std::span<const std::uint8_t> bytes);
  void say(const registry::wire::Message& message) { say(registry::wire::encode(message)); }
  void say(const wire::Envelope& envelope);
  /// The same where it may be that there is no connection any more: then it says nothing, and does not wait for one.
  void say_if_connected(std::span<const std::uint8_t> bytes);
  void say_if_connected(const registry::wire::Message& message) { say_if_connected(registry::wire::encode(message)); }
  void say_if_connected(const wire::Envelope& envelope);
  /// The next message; nothing: none comes within `within`.
  std::optional<std::vector<std::uint8_t>> heard(std::chrono::milliseconds within = kLimit);
  /// The next envelope, which points into what was heard last: a frame may have several.
  std::optional<wire::Envelope> answered();
  /// As a message of the registry's plane.
  std::optional<registry::wire::Message> told();

 private:
  zmq::context_t context_{1};
  zmq::socket_t socket_{context_, zmq::socket_type::dealer};
  std::vector<std::uint8_t> last_;
  wire::Bytes rest_;  // of it
};

/// The first envelope of whoever calls.
wire::Envelope hello_of(std::string_view name, wire::Role role);
/// A node's record, with an address where nobody is.
registry::NodeRecord record_of(const std::string& name);

}  // namespace busbar::system_tests
