// How the command line waits while it follows a host.
#pragma once

namespace busbar::cli {

/// From now on SIGINT, SIGTERM and writing to a closed pipe end the program at once, with exit status 0: to go on until
/// then is what was asked for. Nothing needs to be given back; of what was just being written the end may be missing.
void end_quietly_when_interrupted();

/// Waits a moment, or only looks (`at_once`). False: the other end of `host`, a socket from which nothing is expected,
/// is closed. Where standard output is a pipe that nobody reads any more it ends the program, with exit status 0.
bool wait_while_open(int host, bool at_once);

}  // namespace busbar::cli
