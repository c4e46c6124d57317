// golden_wire write: an example of each message, a JSON document a line: {"plane", "what", "hex", "meaning"}.
// golden_wire read: for each such line on standard input what this version makes of its bytes: {"meaning", "hex"},
// where "hex" is what it writes to say the same; or {"problem"}.
#include <iostream>
#include <string>

#include "golden/wire.hpp"

namespace {

using namespace busbar::golden;

std::string to_hex(const Octets& bytes) {
  std::string out;
  for (const std::uint8_t byte : bytes) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

Octets from_hex(const std::string& hex) {
  Octets out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out.push_back(static_cast<std::uint8_t>(std::stoul(hex.substr(i, 2), nullptr, 16)));
  }
  return out;
}

void write() {
  for (const auto& examples : {call_examples(), registry_examples(), admin_examples()}) {
    for (const Example& one : examples) {
      nlohmann::ordered_json line;
      line["plane"] = one.plane;
      line["what"] = one.what;
      line["hex"] = to_hex(one.bytes);
      line["meaning"] = meaning_of(one.plane, one.bytes);
      std::cout << line.dump() << '\n';
    }
  }
}

json read(const std::string& line) {
  try {
    const json kept = json::parse(line);
    const auto plane = kept.at("plane").get<std::string>();
    const Octets bytes = from_hex(kept.at("hex").get<std::string>());
    return {{"meaning", meaning_of(plane, bytes)}, {"hex", to_hex(written_again(plane, bytes))}};
  } catch (const std::exception& fault) {
    return {{"problem", fault.what()}};
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc == 2 ? argv[1] : "";
  if (what == "write") {
    write();
  } else if (what == "read") {
    for (std::string line; std::getline(std::cin, line);) std::cout << read(line).dump() << '\n';
  } else {
    std::cerr << "usage: golden_wire write | read\n";
    return 2;
  }
  return std::cout.flush() ? 0 : 1;
}
