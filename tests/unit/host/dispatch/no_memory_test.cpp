// Calls for which there is no memory: they leave nobody inside a plugin, which could never be unloaded then.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <new>
#include <vector>

#include "dispatch/call_slab.hpp"
#include "support/hub.hpp"
#include "support/raw_requester.hpp"

// What this thread asks for is refused while this is set.
namespace {
thread_local bool no_memory = false;

void* allocate(std::size_t size, std::size_t alignment) {
  void* memory = no_memory ? nullptr : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
}  // namespace

[[gnu::noinline]] void* operator new(std::size_t size) { return allocate(size, alignof(std::max_align_t)); }
[[gnu::noinline]] void* operator new[](std::size_t size) { return allocate(size, alignof(std::max_align_t)); }
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace busbar::testing {
namespace {

/// Whether it ends with std::bad_alloc when there is no memory.
bool fails_without_memory(const std::function<void()>& attempt) {
  no_memory = true;
  try {
    attempt();
  } catch (const std::bad_alloc&) {
    no_memory = false;
    return true;
  }
  no_memory = false;
  return false;
}

/// Holds every free slot that this thread could have for a call.
class NoFreeSlot {
 public:
  NoFreeSlot() {
    held_.reserve(10'000);
    fails_without_memory([this] {
      for (;;) held_.push_back(&host::CallSlab::instance().acquire());
    });
  }
  ~NoFreeSlot() {
    for (host::Call* call : held_) host::CallSlab::instance().recycle(*call);
  }

 private:
  std::vector<host::Call*> held_;
};

class NoMemory : public ::testing::TestWithParam<std::uint32_t> {
 protected:
  NoMemory() {
    hub.add("p", Script().on(
                     "s", [](Message&, Context&) { return Response::ok(); }, GetParam()));
    EXPECT_TRUE(hub.call("s").response().succeeded());  // what a thread keeps is there, and a free slot
    EXPECT_TRUE(hub.quiet());
  }
  ~NoMemory() override { EXPECT_TRUE(hub.call("s").response().succeeded()); }

  // A name that no text has room for in place.
  const std::string node = "a-node-with-quite-a-long-name-for-a-node";
  Hub hub{Hub::small_pool(), node};
};
INSTANTIATE_TEST_SUITE_P(BothKinds, NoMemory, ::testing::Values(0u, static_cast<std::uint32_t>(BUSBAR_SERVICE_INLINE)),
                         [](const auto& tested) { return tested.param == 0 ? "Pooled" : "Inline"; });

TEST_P(NoMemory, ForACallLeavesNobodyInside) {
  const NoFreeSlot none;
  Message message("s");
  EXPECT_TRUE(fails_without_memory([&] { hub.dispatcher().dispatch(message); }));
  EXPECT_TRUE(hub.is_quiet());
  host::Callback never = [](Message&&) { ADD_FAILURE(); };
  EXPECT_TRUE(fails_without_memory([&] { hub.dispatcher().dispatch_async(std::move(message), std::move(never)); }));
  EXPECT_TRUE(hub.is_quiet());
}

TEST_P(NoMemory, ForTheNameOfTheNodeLeavesNobodyInside) {
  Message message("s");
  host::Callback never = [](Message&&) { ADD_FAILURE(); };
  EXPECT_TRUE(fails_without_memory([&] {
    hub.dispatcher().dispatch_async(std::move(message), std::move(never), {0, node});
  }));
  EXPECT_TRUE(hub.is_quiet());
}

TEST_P(NoMemory, ForARequestOfAnotherNodeLeavesNobodyInside) {
  const auto peer = std::make_shared<RawRequester>(wire::Role::node, "z");
  const Message message("s");
  const std::string long_id(100, 'x');
  wire::Envelope request = request_for(message, 1, 60'000'000);
  request.correlation_id = long_id;
  const auto ask_without_memory = [&] { hub.dispatcher().on_request(peer, request); };
  {
    const NoFreeSlot none;
    fails_without_memory(ask_without_memory);
    EXPECT_TRUE(hub.is_quiet()) << "no slot";
  }
  if (GetParam() != 0) return;
  fails_without_memory(ask_without_memory);  // what waits in the queue is a copy
  EXPECT_TRUE(hub.is_quiet()) << "no copy";
}

// The handler has left none: its caller gets what it said, rather than nothing.
TEST_P(NoMemory, ToAskAnotherProviderLeavesTheLastAnswer) {
  hub.add("q", Script().on(
                   "refuses",
                   [](Message&, Context&) {
                     Response refusal = Response::try_another_node("busy");
                     no_memory = true;
                     return refusal;
                   },
                   GetParam()));
  std::atomic<bool> told{false};
  Message message("refuses");
  hub.dispatcher().dispatch_async(std::move(message), [&](Message&& back) {
    no_memory = false;
    EXPECT_TRUE(back.response().is_error("try_another_node"));
    told = true;
  });
  EXPECT_TRUE(eventually([&] { return told.load(); }));
  EXPECT_TRUE(hub.quiet());
}

}  // namespace
}  // namespace busbar::testing
