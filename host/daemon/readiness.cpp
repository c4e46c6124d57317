#include "daemon/readiness.hpp"

#include "log/text.hpp"

namespace busbar::host {

namespace {

/// The likeliest causes.
void add_failed(std::vector<std::string>& reasons, const std::vector<PluginRow>& rows) {
  for (const PluginRow& row : rows) {
    if (row.state != PluginState::failed) continue;
    reasons.push_back("plugin " + in_quotes(row.file) + " has failed: " + row.reason);
  }
}

}  // namespace

std::vector<std::string> Readiness::reasons() const {
  std::vector<std::string> reasons;
  if (is_stopping()) reasons.emplace_back("the host is stopping");
  if (!plugins_.ready()) reasons.emplace_back("the first scan of the plugin directory is not over");
  if (node_.join_state() == JoinState::joining) reasons.emplace_back("the node has not joined its cluster yet");
  if (node_.join_state() == JoinState::refused) reasons.push_back("the cluster refuses the node: " + node_.refusal());
  std::vector<std::string> missing = missing_services();
  if (missing.empty()) return reasons;
  reasons.insert(reasons.end(), missing.begin(), missing.end());
  if (plugins_.ready()) add_failed(reasons, plugins_.rows());
  if (const std::string problem = plugins_.directory_problem(); !problem.empty()) reasons.push_back(problem);
  return reasons;
}

std::vector<std::string> Readiness::missing_services() const {
  std::vector<std::string> missing;
  for (const std::string& service : required_) {
    const bool is_here =
        node_.registry().lookup_local(service, [](const registry::LocalProvider* found) { return found != nullptr; });
    if (!is_here) missing.push_back("service " + in_quotes(service) + " is not provided here");
  }
  return missing;
}

}  // namespace busbar::host
