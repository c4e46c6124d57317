// Any bytes as a configuration: a file, and behind a zero byte the environment, a variable a line. Read whole, or
// refused in words.
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "config/config.hpp"

namespace {

using busbar::host::Environment;

void write_file(const std::string& path, std::string_view text) {
  FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) std::abort();
  std::fwrite(text.data(), 1, text.size(), file);
  std::fclose(file);
}

Environment environment_of(std::string_view lines) {
  Environment out{{}, "node", false, 2};
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
    const std::size_t equals = std::min(line.find('='), line.size());
    out.variables.emplace(line.substr(0, equals), line.substr(std::min(equals + 1, line.size())));
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string path = "/tmp/busbar-fuzz-" + std::to_string(getpid()) + ".toml";
  const std::string_view whole(reinterpret_cast<const char*>(data), size);
  const std::string_view text = whole.substr(0, whole.find('\0'));
  write_file(path, text);
  try {
    const Environment environment = environment_of(whole.substr(std::min(text.size() + 1, size)));
    busbar::host::to_json(busbar::host::load_config(path, environment, {})).dump();
  } catch (const busbar::host::ConfigError&) {
  }
  std::remove(path.c_str());
  return 0;
}
