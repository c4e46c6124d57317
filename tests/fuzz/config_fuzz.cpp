#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "config/config.hpp"

// Any bytes as a configuration file: read whole, or refused in words.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string path = "/tmp/busbar-fuzz-" + std::to_string(getpid()) + ".toml";
  FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) std::abort();
  std::fwrite(data, 1, size, file);
  std::fclose(file);
  try {
    busbar::host::to_json(busbar::host::load_config(path, {{}, "node", false, 2}, {}));
  } catch (const busbar::host::ConfigError&) {
  }
  std::remove(path.c_str());
  return 0;
}
