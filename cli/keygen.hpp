// Keys of those who call: made, and read.
#pragma once

#include <busbar/keys/key_file.hpp>

#include <optional>

#include "command_line.hpp"
#include "verbs.hpp"

namespace busbar::cli {

/// `busbar keygen`. Errors: Failure.
ExitStatus make_keys(const Command& command, const Streams& streams);

/// With what a host is asked that asks for keys.
struct ClientKeys {
  keys::OwnKey own;
  keys::PublicKey host;
};
/// Those that were given on the command line; nothing: none were. Errors: Failure.
std::optional<ClientKeys> read_keys(const Command& command);

}  // namespace busbar::cli
