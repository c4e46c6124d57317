// Where bytes go: storage of our own, or a host's buffer.
#include <cstdlib>
#include <new>

#include "unit/sdk/cbor/support.hpp"

namespace busbar {
namespace {

using namespace busbar::testing;

/// A host's buffer that can be told to refuse.
struct HostBuffer : busbar_buffer {
  explicit HostBuffer(std::size_t limit_bytes) : busbar_buffer{}, limit(limit_bytes) {
    grow = [](busbar_buffer* self, std::size_t wanted) {
      auto& host = *static_cast<HostBuffer*>(self);
      ++host.grown;
      if (wanted > host.limit) return -1;
      host.memory.resize(wanted);
      host.data = host.memory.data();
      host.capacity = wanted;
      return 0;
    };
  }
  std::size_t limit;
  int grown = 0;
  Bytes memory;
};

Bytes filled(const busbar_buffer& buffer) { return {buffer.data, buffer.data + buffer.size}; }

TEST(ByteSink, WritesIntoAHostsBuffer) {
  HostBuffer buffer(1 << 20);
  {
    cbor::ByteSink sink(buffer);
    cbor::encode(std::string(1000, 'x'), sink);
    sink.commit();
    EXPECT_EQ(buffer.size, 1003u);
    cbor::encode(7, sink);
  }
  EXPECT_EQ(buffer.size, 1004u);
  EXPECT_EQ(filled(buffer).back(), 7);
}

TEST(ByteSink, AppendsToWhatABufferHolds) {
  HostBuffer buffer(1 << 20);
  { cbor::encode(1, *std::make_unique<cbor::ByteSink>(buffer)); }
  {
    cbor::ByteSink sink(buffer);
    cbor::encode(2, sink);
    EXPECT_EQ(Bytes(sink.bytes().begin(), sink.bytes().end()), hex("02"));
    EXPECT_EQ(sink.take(), hex("02"));
    cbor::encode(3, sink);
  }
  EXPECT_EQ(filled(buffer), hex("01 03"));
}

TEST(ByteSink, GrowsABufferSeldom) {
  HostBuffer buffer(1 << 20);
  cbor::ByteSink sink(buffer);
  cbor::encode(std::vector<int>(100'000, 1), sink);
  EXPECT_LT(buffer.grown, 12);
}

TEST(ByteSink, LeavesABufferAsItWasWhenThereIsNoMemory) {
  HostBuffer buffer(300);
  {
    cbor::ByteSink sink(buffer);
    cbor::encode(1, sink);
    EXPECT_THROW(cbor::encode(std::vector<std::string>{"a", std::string(1000, 'x')}, sink), std::bad_alloc);
  }
  EXPECT_EQ(filled(buffer), hex("01"));
}

TEST(ByteSink, IsAsItWasWhenAValueCannotBeWritten) {
  cbor::ByteSink sink;
  cbor::encode(1, sink);
  EXPECT_THROW(cbor::encode(std::vector<std::string>{"a", "\xff"}, sink), EncodeError);
  EXPECT_EQ(sink.take(), hex("01"));
}

TEST(ByteSink, CanBeUsedAgain) {
  cbor::ByteSink sink;
  cbor::encode(1, sink);
  sink.clear();
  cbor::encode(2, sink);
  EXPECT_EQ(sink.take(), hex("02"));
  EXPECT_EQ(sink.size(), 0u);
  cbor::encode(3, sink);
  EXPECT_EQ(sink.take(), hex("03"));
}

}  // namespace
}  // namespace busbar
