// A cluster whose failure detector does not speak: whoever is silent may be so for as long as a test takes.
#pragma once

#include <chrono>

namespace busbar::system_tests {

/// The configuration of such a host.
inline constexpr const char* kPatient = "[registry]\nheartbeat = \"200ms\"\nlost_after = \"10m\"\n";
/// The same, for a member that says how long it waits.
inline constexpr std::chrono::minutes kNeverLost{10};

}  // namespace busbar::system_tests
