// Many threads that do everything at once.
#include <gtest/gtest.h>

#include "link_testing.hpp"

namespace busbar::host {
namespace {
}  // namespace
}  // namespace busbar::host
