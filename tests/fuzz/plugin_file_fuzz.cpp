#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "plugins/file/inspect.hpp"

// Any bytes as a plugin file: judged, never run, never believed.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string path = "/tmp/busbar-fuzz-" + std::to_string(getpid()) + ".so";
  FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) std::abort();
  std::fwrite(data, 1, size, file);
  std::fclose(file);
  const auto facts = busbar::host::inspect(path);
  busbar::host::to_json(facts);
  busbar::host::to_text(facts);
  std::remove(path.c_str());
  return 0;
}
