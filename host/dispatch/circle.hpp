// A circle of calls that wait for each other, put together from what each node tells.
#pragma once

#include <busbar/response.hpp>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "dispatch/wait_view.hpp"

namespace busbar::host {

/// Calls of which each waits for the next, and the last one for the first.
using Circle = std::vector<NamedCall>;

/// In words: `a@n1 (id) -> b@n2 (id) -> a@n1 (id)`. Of a long one the middle is left out.
std::string in_words(const Circle& circle);
/// What a call is answered that would close it: error(would_block), whose value is the list of the calls. `what` is
/// full. Errors: std::bad_alloc.
Response refusal_of(const Circle& circle, const std::string& what);
/// Whether that is what a call was answered, which then has not been started.
inline bool is_circle(const Response& response, bool unstarted) noexcept {
  return unstarted && response.is_error(code::kWouldBlock);
}

/// A wait, of all nodes.
struct WaitKey {
  std::string node;
  std::uint64_t number = 0;
  auto operator<=>(const WaitKey&) const = default;
};

/// The waits that can be reached from one, on all nodes. Every one of them waits for all that it leads to, and none
/// can go on by itself. Ownership: owns everything. Threads: one at a time.
class WaitGraph {
 public:
  /// Takes so many waits, of so many calls.
  explicit WaitGraph(std::size_t most_waits = kMostWaitsTold, std::size_t most_calls = kMostCallsTold)
      : most_waits_(most_waits), most_calls_(most_calls) {}

  /// What `node` has told of its own wait, `number` of the first view; and of each call that was sent somewhere. False:
  /// too much, or what was told contradicts itself.
  bool add(const std::string& node, const WaitsView& view);
  bool add(const SentCall& call, const WaitsView& view);

  /// A shortest way from a wait that is at a gate back to itself; empty: there is none.
  Circle circle_through(const WaitKey& start) const;
  /// Whether it is that wait, in a circle, whose call is to be refused. One is enough: of those that have closed it at
  /// the same time (`is_new`) the first; where none is, of all at gates the first.
  bool is_to_be_opened_by(const WaitKey& wait, bool is_new) const;

 private:
  struct Step {
    WaitKey to;
    std::size_t first;  // of its calls
  };
  std::vector<Step> steps_from(const WaitKey& key) const;

  const std::size_t most_waits_, most_calls_;
  std::map<WaitKey, WaitView> waits_;
  std::map<SentCall, std::vector<WaitKey>> sent_;
  std::size_t calls_ = 0;
};

}  // namespace busbar::host
