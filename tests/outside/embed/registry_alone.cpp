// Uses the registry without a host: registers a service, and looks it up.
#include <busbar/registry/registry.hpp>

#include <iostream>
#include <memory>

int main() {
  namespace reg = busbar::registry;
  reg::Registry registry;
  const auto provider = std::make_shared<reg::LocalProvider>("ping", "embedder", reg::Visibility::public_);
  if (registry.register_router("embedder", {provider})) return 1;
  const bool found = registry.lookup(
      "ping", [&](const reg::ServiceEntry* entry) { return entry != nullptr && entry->local == provider; });
  std::cout << (found ? "found" : "not found") << "\n";
  return found ? 0 : 1;
}
