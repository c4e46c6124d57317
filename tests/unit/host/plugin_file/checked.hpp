// `busbar check`, as its tests call it.
#pragma once

#include <algorithm>
#include <sstream>

#include "plugins/file/inspect.hpp"
#include "support.hpp"

namespace busbar::host::testing {

/// What was printed and returned.
struct Checked {
  int status;
  std::string text;

  nlohmann::json files() const { return nlohmann::json::parse(text).at("files"); }
  nlohmann::json comparison() const { return nlohmann::json::parse(text).at("comparison"); }
  /// Those changes of a comparison, as "SERVICE: TEXT".
  std::vector<std::string> changes(const std::string& weight) const {
    std::vector<std::string> out;
    const nlohmann::json all = comparison();
    for (const auto& change : all.at("changes")) {
      if (change.at("weight") == weight)
        out.push_back(change.value("service", "") + ": " + change["text"].get<std::string>());
    }
    return out;
  }
};

inline Checked check(const std::vector<std::string>& files, bool json = true) {
  std::ostringstream out;
  const int status = check_files(files, json, out, BUSBAR_TRIAL_PROGRAM);
  return {status, out.str()};
}

/// A copy of the plugin "good" that is called "food" and offers the same service.
inline std::string good_by_another_name(const TemporaryFolder& folder) {
  Bytes bytes = read_bytes(fixture("good"));
  const std::string note("good\0", 5);  // the name in the descriptor comes first in the file
  const auto name = std::search(bytes.begin(), bytes.end(), note.begin(), note.end());
  if (name == bytes.end()) throw std::runtime_error("the plugin \"good\" has no name");
  *name = 'f';
  write_bytes(folder / "food.so", bytes);
  return folder / "food.so";
}

}  // namespace busbar::host::testing
