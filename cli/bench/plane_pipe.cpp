#include "bench/plane_pipe.hpp"

#include <utility>

namespace busbar::cli {

PlanePipe::PlanePipe(CallClientOptions options, wire::AdminRequest call)
    : call_(std::move(call)), client_(std::move(options)) {}

void PlanePipe::begin(std::size_t, std::uint64_t number) { begun_.push_back(number); }

void PlanePipe::flush() {
  for (; !begun_.empty(); begun_.pop_front()) {
    call_.seq = begun_.front();
    if (!client_.begin(call_)) return;
  }
}

void PlanePipe::take(std::vector<wire::AdminAnswer>& answers) {
  while (auto answer = client_.take(call_)) answers.push_back(std::move(*answer));
}

void PlanePipe::watch(std::vector<zmq_pollitem_t>& items) { client_.watch(items, !begun_.empty()); }

}  // namespace busbar::cli
