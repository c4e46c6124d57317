// What is still to come in a simulation, in the order of its time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "membership/types.hpp"

namespace busbar::registry::testing {

/// Bytes on their way, or a message whose bytes nobody needs to see.
struct Packet {
  std::shared_ptr<const wire::Message> message{};  ///< null: `bytes` are to be read
  std::shared_ptr<const std::vector<std::uint8_t>> bytes{};
};

struct Event {
  enum class Kind : std::uint8_t {
    look,         ///< at a node's deadline
    resolved,     ///< what a name stands for is found out; `connection` is the number of the look-up
    establish,    ///< a connection that was asked for
    to_caller,    ///< a packet from who dialled
    to_link,      ///< a packet to who dialled
    caller_gone,  ///< who was dialled hears that the connection has ended
    link_up,      ///< who dialled hears that there is one
    link_down     ///< who dialled hears that there is none any more
  };
  Time when{};
  std::uint64_t number = 0;  ///< of two at the same time the first one that was put comes first
  std::uint32_t node = 0;    ///< whom it happens to
  std::uint32_t connection = 0;
  Kind kind = Kind::look;
  Packet packet{};
};

class EventQueue {
 public:
  void put(Event event) {
    event.number = ++last_number_;
    heap_.push_back(std::move(event));
    std::push_heap(heap_.begin(), heap_.end(), is_later);
  }
  bool empty() const { return heap_.empty(); }
  Time next() const { return heap_.front().when; }
  Event take() {
    std::pop_heap(heap_.begin(), heap_.end(), is_later);
    Event event = std::move(heap_.back());
    heap_.pop_back();
    return event;
  }

 private:
  static bool is_later(const Event& left, const Event& right) {
    return left.when != right.when ? left.when > right.when : left.number > right.number;
  }
  std::vector<Event> heap_;
  std::uint64_t last_number_ = 0;
};

}  // namespace busbar::registry::testing
