#include "membership/membership.hpp"

// Any bytes as messages to a node, from links and from callers: a message or a refusal in words; what was read must
// survive being written, and no message may break the machine that takes it.
namespace {

using namespace busbar::registry;

Membership running_node() {
  MembershipOptions options;
  options.node = "alpha";
  options.incarnation = 5;
  options.registry_address = "tcp://alpha:1";
  options.call_address = "tcp://alpha:2";
  options.seeds = {"tcp://beta:1", "tcp://gamma:1"};
  Membership node(options, {});
  node.start(Time{});
  node.link_up(Time{}, LinkId{1});
  return node;
}

/// Each message is a length in two bytes, and where it comes from and how much later in one.
void feed(Membership& node, std::span<const std::uint8_t> data) {
  Time now{};
  while (data.size() > 3) {
    const std::size_t size = std::min<std::size_t>(data[0] | data[1] << 8, data.size() - 3);
    const std::uint8_t how = data[2];
    const auto bytes = data.subspan(3, size);
    data = data.subspan(3 + size);
    now += std::chrono::milliseconds(how >> 3) * 50;
    node.tick(now);
    try {
      const wire::Message message = wire::decode(bytes);
      if (!std::holds_alternative<wire::Unknown>(message) && !std::holds_alternative<wire::OtherMajor>(message)) {
        const auto written = wire::encode(message);
        if (wire::encode(wire::decode(written)) != written) __builtin_trap();
      }
      if ((how & 4) != 0) {
        node.from_link(now, LinkId{how & 3U}, message);
      } else {
        node.from_caller(now, CallerId{how & 3U}, message);
      }
    } catch (const wire::BadMessage& error) {
      node.bad_from_caller(now, CallerId{how & 3U}, error.what());
    }
    if (node.next_deadline() < now) node.tick(now);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Membership node = running_node();
  feed(node, {data, size});
  node.rows();
  return 0;
}
