// A link to a node that refuses, dies, falls silent, comes back, or talks nonsense; and the end of this node.
#include <gtest/gtest.h>

#include "link_testing.hpp"

namespace busbar::host {
namespace {
}  // namespace
}  // namespace busbar::host
