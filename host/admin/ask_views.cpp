#include "admin/ask_views.hpp"

#include <busbar/wire/admin.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "admin/query_outcome.hpp"

namespace busbar::host {

using nlohmann::json;

namespace {

// What it said was true some time between the question and the answer: halfway, as far as that can be known.
void compare_clocks(NodeView& view) {
  using std::chrono::milliseconds;
  const auto told = view.document.is_object() ? view.document.find("clock_ms") : view.document.end();
  if (told == view.document.end() || !told->is_number_integer()) return;
  const auto then = std::chrono::system_clock::now().time_since_epoch() - view.took / 2;
  view.clock_ahead = milliseconds(told->get<std::int64_t>()) - std::chrono::duration_cast<milliseconds>(then);
}

/// Ownership: its own, by the callbacks that it gives away. Threads: each view is its answer's until all are there.
class Asking : public std::enable_shared_from_this<Asking> {
 public:
  Asking(std::vector<NodeView> views, std::function<void(std::vector<NodeView>)> answer)
      : views_(std::move(views)), missing_(views_.size()), answer_(std::move(answer)) {}

  void ask(Dispatcher& dispatcher, std::uint32_t timeout_ms) {
    wire::AdminRequest question;
    question.verb = wire::admin_verb::kNodes;
    const Payload body = Payload::of(question);
    for (std::size_t i = 1; i < views_.size(); ++i) {
      const auto answered = [self = shared_from_this(), &view = views_[i], start = now_ns()](const Message& outcome) {
        view.took = std::chrono::microseconds((now_ns() - start) / kMicrosecond);
        QueryOutcome told = read_query_outcome(outcome.response());
        view.document = std::move(told.document);
        view.error = std::move(told.error);
        compare_clocks(view);
        self->one_is_there();
      };
      dispatcher.query_async(views_[i].node, body, answered, timeout_ms);
    }
    one_is_there();  // this node's own
  }

 private:
  void one_is_there() {
    if (missing_.fetch_sub(1, std::memory_order_acq_rel) == 1) answer_(std::move(views_));
  }

  std::vector<NodeView> views_;  // this node's own first
  std::atomic<std::size_t> missing_;
  const std::function<void(std::vector<NodeView>)> answer_;
};

}  // namespace

void ask_views(Dispatcher& dispatcher, json own, bool others, std::uint32_t timeout_ms,
               std::function<void(std::vector<NodeView> views)> answer) {
  std::vector<NodeView> views{{.node = dispatcher.node()}};
  for (const json& row : own.at("nodes")) {
    std::string name = row.at("name");
    if (others && name != dispatcher.node()) views.push_back({.node = std::move(name)});
  }
  views.front().document = std::move(own);
  std::make_shared<Asking>(std::move(views), std::move(answer))->ask(dispatcher, timeout_ms);
}

}  // namespace busbar::host
