// Each node's picture of the cluster, and where they differ.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace busbar::host {

/// What one node says of the cluster.
struct NodeView {
  std::string node;
  nlohmann::json document{};  ///< as it answers `nodes`; null where it does not
  std::string error{};        ///< why it does not, in words
  std::chrono::microseconds took{};
  /// By how much its clock is ahead of the asker's, give or take half of `took`; nothing where it does not tell.
  std::optional<std::chrono::milliseconds> clock_ahead{};
};

/// {"views": […], "differences": […], "agree": …} (docs/protocol.md, section 8). `views`: of who asks first. Those that
/// only others know, and that could not be asked for that, are added; a document that cannot be read counts as none.
nlohmann::json views_document(std::vector<NodeView> views);

}  // namespace busbar::host
