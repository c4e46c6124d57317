// How the command line waits while it follows a host.
#pragma once

namespace busbar::cli {

/// From now on SIGINT, SIGTERM and a closed standard output end the program at once, with exit status 0: to go on until
/// then is what was asked for. Nothing needs to be given back, and what was shown has been written.
void end_quietly_when_interrupted();

/// Waits a moment. False: the other end of `host`, a socket from which nothing is expected, is closed. Where standard
/// output is closed it ends the program.
bool wait_while_open(int host);

}  // namespace busbar::cli
