#include "admin/describe_elsewhere.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "admin/admin_verbs.hpp"
#include "log/text.hpp"

namespace busbar::host {

namespace {

/// One such question. Ownership: its own, by the callbacks that it gives away. Threads: one after the other.
class Asking : public std::enable_shared_from_this<Asking> {
 public:
  Asking(Dispatcher& dispatcher, const wire::AdminRequest& request, std::vector<std::string> nodes,
         AdminVerbs::Answer answer)
      : dispatcher_(dispatcher),
        seq_(request.seq),
        service_(*request.service),
        deadline_(now_ns() + request.timeout_ms.value_or(kUsualTimeoutMs) * kMillisecond),
        nodes_(std::move(nodes)),
        answer_(std::move(answer)) {}

  /// Asks the next node, or answers. Nodes that cannot be asked say so before `query_async` has returned: however many
  /// they are, they are asked in this loop, which the inner calls leave to the outermost one.
  void go_on() {
    if (turns_.fetch_add(1, std::memory_order_acq_rel) != 0) return;
    do {
      take_turn();
    } while (turns_.fetch_sub(1, std::memory_order_acq_rel) != 1);
  }

 private:
  void take_turn() {
    if (next_ == nodes_.size()) return give_up();
    const Nanos left = deadline_ - now_ns();
    if (left < kMillisecond) return time_out();
    wire::AdminRequest question;
    question.verb = wire::admin_verb::kDescribe;
    question.service = service_;
    dispatcher_.query_async(
        nodes_[next_], Payload::of(question),
        [self = shared_from_this()](const Message& outcome) { self->on_outcome(outcome.response()); },
        static_cast<std::uint32_t>(left / kMillisecond));
  }

  void on_outcome(const Response& outcome) {
    const std::string& node = nodes_[next_++];
    if (!outcome.succeeded()) {
      failure_ = {std::string(code::kBadRpc),
                  "node " + in_quotes(node) + " did not answer: " + std::string(outcome.text())};
      return go_on();
    }
    try {
      auto told = outcome.value_as<wire::AdminAnswer>();
      if (told.document) {
        told.seq = seq_;
        return answer_(wire::frame_of(told));
      }
      failure_ = told.error.value_or(wire::AdminError{std::string(code::kMalformed), "found neither answer nor error"});
      failure_->text = "node " + in_quotes(node) + ": " + failure_->text;
    } catch (const std::exception& unfit) {
      failure_ = {std::string(code::kMalformed),
                  "node " + in_quotes(node) + " gave an answer that cannot be read: " + unfit.what()};
    }
    go_on();
  }

  void time_out() {
    next_ = nodes_.size();
    if (!failure_) failure_ = {std::string(code::kBadRpc), "nobody has answered in time"};
    give_up();
  }

  void give_up() {
    if (!failure_) failure_ = {"service_unavailable", "nobody provides it"};
    answer_(
        error_frame(seq_, failure_->code, "could not describe service " + in_quotes(service_) + ": " + failure_->text));
  }

  Dispatcher& dispatcher_;
  const std::uint64_t seq_;
  const std::string service_;
  const Nanos deadline_;
  const std::vector<std::string> nodes_;
  const AdminVerbs::Answer answer_;
  std::atomic<unsigned> turns_{0};  // that are to be taken; who makes it more than none takes them
  std::size_t next_ = 0;
  std::optional<wire::AdminError> failure_;  // the last one
};

}  // namespace

void describe_elsewhere(Dispatcher& dispatcher, const wire::AdminRequest& request, std::vector<std::string> nodes,
                        std::function<void(std::vector<std::uint8_t> frame)> answer) {
  std::make_shared<Asking>(dispatcher, request, std::move(nodes), std::move(answer))->go_on();
}

}  // namespace busbar::host
