// The benchmark's plugin on a host without files, sockets and trial: what a call passes.
#pragma once

#include <busbar/message.hpp>
#include <busbar/registry/registry.hpp>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "dispatch/dispatcher.hpp"
#include "plugins/file/inspect.hpp"
#include "plugins/file/router_check.hpp"
#include "support.hpp"

namespace bench {

using busbar::Message;
namespace registry = busbar::registry;

class Bench {
 public:
  /// `counts`: whether its calls are counted, as a host's are.
  Bench(const std::string& plugin, unsigned threads, bool counts = true)
      : pool_(supervisor_, options(threads)), dispatcher_("bench", registry_, pool_, supervisor_, events_) {
    dispatcher_.count_calls(counts);
    const auto path = std::filesystem::absolute(plugin);
    const auto file = inspect(path);
    if (!file.ok()) throw std::runtime_error(file.reason());
    library_ = map_library(path);
    instance_ = std::make_shared<Instance>(InstanceFacts{file.name, file.version, 1}, dispatcher_, Logger());
    instance_->adopt(read_router(create_router(find_plugin(library_, *file.descriptor), instance_->c_host())));
    std::vector<std::shared_ptr<registry::LocalProvider>> services;
    for (auto& endpoint : instance_->endpoints()) services.emplace_back(instance_, &endpoint);
    registry_.register_router("bench", services);
  }
  ~Bench() {
    pool_.stop(now_ns() + kSecond);
    supervisor_.stop();
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  EventStream& events() { return events_; }
  Dispatcher& dispatcher() { return dispatcher_; }
  registry::Registry& registry() { return registry_; }
  Pool& pool() { return pool_; }

 private:
  static PoolOptions options(unsigned threads) {
    PoolOptions options;
    options.threads = threads;
    return options;
  }

  boost::dll::shared_library library_;
  registry::Registry registry_;
  EventStream events_;
  Supervisor supervisor_;
  Pool pool_;
  Dispatcher dispatcher_;
  std::shared_ptr<Instance> instance_;
};

template <class T>
void keep(const T& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

inline void check(const Message& message) {
  if (message.response().succeeded()) return;
  std::fprintf(stderr, "the benchmark's call failed: %.*s\n", static_cast<int>(message.response().text().size()),
               message.response().text().data());
  std::abort();
}

}  // namespace bench
