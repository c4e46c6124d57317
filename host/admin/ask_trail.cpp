#include "admin/ask_trail.hpp"

#include <busbar/thread_safety.hpp>
#include <busbar/wire/admin.hpp>

#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "admin/query_outcome.hpp"
#include "admin/trail_rows.hpp"

namespace busbar::host {

using nlohmann::json;

namespace {

/// More nodes than take part in a call that anybody could read the story of.
constexpr std::size_t kMostNodes = 64;

std::vector<std::string> nodes_named_in(const json& rows) {
  std::vector<std::string> nodes;
  for (const json& row : rows) {
    if (row.contains("node")) nodes.push_back(row.at("node"));
  }
  return nodes;
}

/// Ownership: its own, by the callbacks that it gives away.
class Following : public std::enable_shared_from_this<Following> {
 public:
  Following(Dispatcher& dispatcher, std::string correlation_id, bool others, Nanos deadline,
            std::function<void(TrailParts)> answer)
      : dispatcher_(dispatcher),
        correlation_id_(std::move(correlation_id)),
        others_(others),
        deadline_(deadline),
        answer_(std::move(answer)) {}

  void begin() {
    {
      const MutexLock lock(mutex_);
      known_.insert(dispatcher_.node());
    }
    take(dispatcher_.node(), trail_rows(dispatcher_, correlation_id_));
  }

 private:
  // What a node says, and whom else it names.
  void take(const std::string& node, json rows) {
    std::vector<std::string> next;
    {
      const MutexLock lock(mutex_);
      if (others_) next = not_asked_yet(nodes_named_in(rows));
      parts_.rows.emplace(node, std::move(rows));
      missing_ += next.size();
    }
    for (const std::string& name : next) ask(name);
    one_is_there();
  }

  void ask(const std::string& node) {
    wire::AdminRequest question;
    question.verb = wire::admin_verb::kTrail;
    question.correlation_id = correlation_id_;
    const Nanos left = std::max<Nanos>(deadline_ - now_ns(), kMillisecond);
    dispatcher_.query_async(
        node, Payload::of(question),
        [self = shared_from_this(), node](const Message& outcome) { self->answered(node, outcome.response()); },
        static_cast<std::uint32_t>(left / kMillisecond));
  }

  void answered(const std::string& node, const Response& outcome) {
    const QueryOutcome told = read_query_outcome(outcome);
    std::string why = told.error;
    if (why.empty()) {
      try {
        const json rows = told.document.at("rows");
        check(rows);
        return take(node, rows);
      } catch (const json::exception& unfit) {
        why = "its answer cannot be read: " + std::string(unfit.what());
      }
    }
    {
      const MutexLock lock(mutex_);
      parts_.unreachable.emplace(node, std::move(why));
    }
    one_is_there();
  }

  // Before it is among the others: one that cannot be told of must not keep them from being told.
  static void check(const json& rows) { trail_document({{{"", rows}}, {}}); }

  std::vector<std::string> not_asked_yet(std::vector<std::string> nodes) BUSBAR_REQUIRES(mutex_) {
    std::vector<std::string> next;
    for (std::string& node : nodes) {
      if (known_.size() < kMostNodes && known_.insert(node).second) next.push_back(std::move(node));
    }
    return next;
  }

  void one_is_there() {
    TrailParts parts;
    {
      const MutexLock lock(mutex_);
      if (--missing_ != 0) return;
      parts = std::move(parts_);
    }
    answer_(std::move(parts));
  }

  Dispatcher& dispatcher_;
  const std::string correlation_id_;
  const bool others_;
  const Nanos deadline_;
  const std::function<void(TrailParts)> answer_;

  Mutex mutex_;
  std::size_t missing_ BUSBAR_GUARDED_BY(mutex_) = 1;  // answers; this node's own first
  std::set<std::string> known_ BUSBAR_GUARDED_BY(mutex_);
  TrailParts parts_ BUSBAR_GUARDED_BY(mutex_);
};

}  // namespace

void ask_trail(Dispatcher& dispatcher, const std::string& correlation_id, bool others, std::uint32_t timeout_ms,
               std::function<void(TrailParts parts)> answer) {
  const Nanos deadline = now_ns() + Nanos{timeout_ms} * kMillisecond;
  std::make_shared<Following>(dispatcher, correlation_id, others, deadline, std::move(answer))->begin();
}

}  // namespace busbar::host
