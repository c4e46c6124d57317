// Why the system's loader keeps a library mapped that has been closed.
#pragma once

#include <filesystem>
#include <string>

namespace busbar::host {

struct KeptByLoader {
  std::string reason;
  bool for_ever = false;  ///< no later look will find it gone
};

/// By what its file says; what the loader itself thinks cannot be asked.
KeptByLoader why_loader_keeps(const std::filesystem::path& library);

/// Whether it is mapped.
bool is_mapped(const std::filesystem::path& library);

/// Has the loader think again about a library that it has kept, and which nobody else uses. Returns whether it is
/// mapped still.
bool is_kept_after_another_look(const std::filesystem::path& library);

}  // namespace busbar::host
