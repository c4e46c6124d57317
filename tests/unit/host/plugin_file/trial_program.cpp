// What `busbard --try-plugin PATH` does, without the rest of the daemon.
#include "plugins/file/trial.hpp"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  busbar::host::run_trial(argv[2]);
}
