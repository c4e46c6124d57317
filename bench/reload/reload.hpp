// The figures of a plugin that is replaced while it serves.
#pragma once

#include <string>

namespace bench {

struct ReloadOptions {
  std::string only;
  int rounds = 5;
  int reloads = 20;    // of each round
  int seconds = 4;     // of each round of calls
  int every_ms = 200;  // a reload, during these
};

void measure_first_answer(const ReloadOptions& options);
void measure_calls_meanwhile(const ReloadOptions& options);

}  // namespace bench
