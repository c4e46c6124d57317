// What `busbar top` shows, as lines of a given size.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "text.hpp"
#include "top/interval.hpp"
#include "top/snapshot.hpp"

namespace busbar::cli {

struct TopView {
  const Snapshot& now;
  const Interval& interval;
  SortBy order = SortBy::rate;
  std::string problem{};  ///< why what is shown is old; empty: it is not
};

/// One line; its texts have no more columns than there are together, and nothing that a terminal acts upon.
using ScreenLine = std::vector<Cell>;

/// All of it, in a screen of that size: what does not fit is left out, and counted. `height` 0: as long as it takes.
std::vector<ScreenLine> screen_of(const TopView& view, std::size_t width, std::size_t height);

/// The document (docs/man/busbar-top.1, "JSON").
Json top_json(const Snapshot& now, const Interval& interval);

}  // namespace busbar::cli
