#include "remote/bench_keys.hpp"

#include <stdlib.h>

#include <stdexcept>

namespace bench {

namespace {

namespace fs = std::filesystem;

fs::path make_directory() {
  std::string name = (fs::temp_directory_path() / "bench_keys.XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("a temporary directory cannot be made: " + name);
  return name;
}

}  // namespace

BenchKeys::BenchKeys() : directory_(make_directory()) {
  fs::create_directory(authorized(directory_));
  for (const char* node : {"provider", "caller"}) {
    const auto pair = busbar::keys::write_pair(directory_ / node, {node, busbar::keys::Role::node});
    fs::rename(pair.public_file, authorized(directory_) / pair.public_file.filename());
  }
}

BenchKeys::~BenchKeys() { fs::remove_all(directory_); }

fs::path private_file(const fs::path& directory, const std::string& node) { return directory / (node + ".key"); }
busbar::keys::OwnKey key_of(const fs::path& directory, const std::string& node) {
  return busbar::keys::read_private_file(private_file(directory, node));
}
fs::path authorized(const fs::path& directory) { return directory / "authorized"; }

}  // namespace bench
