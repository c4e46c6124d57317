// Ours: this process is a node without plugins, the other one a host with the benchmark's plugin.
#include "remote/busbar_side.hpp"

#include <array>
#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include "pool/completion_queue.hpp"
#include "remote/bench_keys.hpp"
#include "remote/host_server.hpp"
#include "sample.hpp"

namespace bench {

using busbar::Message;

void check(const Message& outcome) {
  if (!outcome.response().succeeded()) {
    throw std::runtime_error("the benchmark's call failed: " + std::string(outcome.response().text()));
  }
}

std::unique_ptr<busbar::Node> make_client(const std::string& seed, std::string_view service, const std::string& keys) {
  busbar::NodeOptions options;
  options.name = "caller";
  options.join = {seed};
  if (!keys.empty()) options.security = {private_file(keys, "caller"), authorized(keys)};
  auto node = std::make_unique<busbar::Node>(options);
  if (!node->wait_for(service, std::chrono::seconds(10))) {
    std::string known;
    for (const auto& row : node->nodes()) {
      known += ", " + row.name + " " + std::string(name_of(row.state)) + " with " + std::to_string(row.services);
    }
    throw std::runtime_error("the caller has not found \"" + std::string(service) + "\" in 10 s; nodes it knows" +
                             known);
  }
  return node;
}

namespace {

constexpr std::string_view kTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

class BusbarSide final : public Side {
 public:
  BusbarSide(const Placement& at, Service service, Callers callers, const std::string& keys, bool explained = false)
      : service_(service == Service::kInline ? "bench_inline" : "bench_pooled"),
        callers_(callers),
        explained_(explained) {
    run_on(at.worker);
    server_ = std::make_unique<HostServer>(keys);
    run_on(at.caller);
    client_ = make_client(server_->seed(), service_, keys);
  }

  void call() override {
    Message message = Message::of(service_, sample_);
    if (explained_) message.with_traceparent(kTrace);
    client_->dispatcher().dispatch(message);
    check(message);
    (void)message.response().value_as<Sample>();
  }

  void run(std::size_t calls) override {
    if (callers_ == Callers::kBlockingThreads) {
      run_blocking(calls);
    } else {
      run_async(calls);
    }
  }

  pid_t server() const override { return server_->process().pid(); }

 private:
  struct Slot : Completion {
    Sample answer;
  };

  void run_blocking(std::size_t calls) {
    std::atomic<std::size_t> begun{0};
    std::vector<std::jthread> callers;
    for (std::size_t i = 0; i < kUnderWay; ++i) {
      callers.emplace_back([&] {
        while (begun.fetch_add(1, std::memory_order_relaxed) < calls) call();
      });
    }
  }

  void run_async(std::size_t calls) {
    CompletionQueue completions;
    std::array<Slot, kUnderWay> slots;
    const auto begin = [&](Slot& slot) {
      client_->dispatcher().dispatch_async(Message::of(service_, sample_), [&](Message&& outcome) {
        check(outcome);
        slot.answer = outcome.response().value_as<Sample>();
        completions.push(slot);
      });
    };
    std::size_t begun = 0;
    for (; begun < kUnderWay; ++begun) begin(slots[begun]);
    for (std::size_t ended = 0; ended < calls;) {
      for (Completion* done = completions.wait(kNever, guard_); done != nullptr; ++ended) {
        Completion* next = done->next;
        if (begun++ < calls) begin(static_cast<Slot&>(*done));
        done = next;
      }
    }
  }

  const char* const service_;
  const Callers callers_;
  const bool explained_;
  const Sample sample_ = make_sample();
  YieldGuard guard_;
  std::unique_ptr<HostServer> server_;
  std::unique_ptr<busbar::Node> client_;
};

}  // namespace

MakeSide explained_side(Service service) {
  return [=](const Placement& at) {
    return std::make_unique<BusbarSide>(at, service, Callers::kOneThread, std::string(), true);
  };
}

MakeSide busbar_side(Service service, Callers callers, const std::string& keys) {
  return [=](const Placement& at) { return std::make_unique<BusbarSide>(at, service, callers, keys); };
}

}  // namespace bench
