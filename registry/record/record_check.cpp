#include "record/record_check.hpp"

#include <busbar/limits.hpp>
#include <busbar/names.hpp>

#include <algorithm>

namespace busbar::registry {
namespace {

constexpr std::size_t kLongestText = 1024;

/// What somebody sent, fit to be printed: at most 64 bytes of it, and no control characters.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text.substr(0, 64)) result += c >= ' ' && c <= '~' ? c : '?';
  return result + (text.size() > 64 ? "…\"" : "\"");
}

std::string fault(std::string_view what, std::string_view expected, const std::string& found) {
  return std::string(what) + ": expected " + std::string(expected) + ", found " + found;
}

std::string address_fault(std::string_view what, std::string_view address) {
  if (is_address(address)) return {};
  return fault(what, "transport://address of at most 256 printable bytes", quoted(address));
}

std::string service_fault(const RemoteService& service) {
  if (!is_service_name(service.name)) return fault("name of a service", kServiceNameRule, quoted(service.name));
  if (!is_plugin_name(service.router))
    return fault("router of " + service.name, "a plugin's name", quoted(service.router));
  if (service.timeout_ms > kMaxTimeoutMs)
    return fault("timeout of " + service.name, "at most " + std::to_string(kMaxTimeoutMs) + " ms",
                 std::to_string(service.timeout_ms));
  if (service.sticky_field.size() > kLongestText)
    return fault("sticky field of " + service.name, "at most 1024 bytes", std::to_string(service.sticky_field.size()));
  return {};
}

}  // namespace

bool is_address(std::string_view address) {
  const auto scheme = address.find("://");
  return address.size() <= kMaxAddress && scheme != std::string_view::npos && scheme > 0 &&
         scheme + 3 < address.size() &&
         std::all_of(address.begin(), address.end(), [](char c) { return c > ' ' && c <= '~'; });
}

std::string fault_of(const NodeRecord& record) {
  if (!is_node_name(record.name)) return fault("name of a node", kNodeNameRule, quoted(record.name));
  if (record.incarnation == 0 || record.incarnation > kMaxIncarnation)
    return fault("incarnation", "1 to 2^62", std::to_string(record.incarnation));
  if (record.version == 0) return fault("version of the record", "1 or more", "0");
  if (auto found = address_fault("address for calls", record.call_address); !found.empty()) return found;
  if (auto found = address_fault("address of the registry", record.registry_address); !found.empty()) return found;
  if (record.services.size() > kMaxServices)
    return fault("services", "at most 100000", std::to_string(record.services.size()));
  const RemoteService* before = nullptr;
  for (const RemoteService& service : record.services) {
    if (auto found = service_fault(service); !found.empty()) return found;
    if (before != nullptr && before->name >= service.name)
      return fault("services", "each once, in the order of their names", service.name + " behind " + before->name);
    before = &service;
  }
  return {};
}

}  // namespace busbar::registry
