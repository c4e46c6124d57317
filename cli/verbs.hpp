// Doing what the command line asks.
#pragma once

#include <busbar/wire/admin.hpp>

#include <functional>
#include <istream>
#include <ostream>

#include "command_line.hpp"
#include "failure.hpp"

namespace busbar::cli {

/// Where a command reads and writes.
struct Streams {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool coloured_out = false;
  bool coloured_err = false;
};

/// Asks the host; the connection is made when the request is complete.
using Ask = std::function<wire::AdminAnswer(const wire::AdminRequest&)>;

/// Adds what is sent to the service, and how. Errors: Failure with status usage, where it is no JSON.
void add_call(wire::AdminRequest& request, const Command& command, std::istream& in);

/// Does any verb but those that need no host. Errors: Failure.
ExitStatus run_verb(const Command& command, const Ask& ask, const Streams& streams);

/// Tells of a failure: on standard error for people, as a document on standard output with `--json`.
ExitStatus report(const Failure& failure, bool json, const Streams& streams);

}  // namespace busbar::cli
