// Anything that can happen to a node's membership, in any order, with any bytes as messages: a message or a refusal in
// words; what was read must survive being written, and so must what the node says; nobody comes in under another name
// than the key says; nothing may break the machine.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/choices.hpp"
#include "membership/membership.hpp"

namespace {

using namespace busbar::registry;
using busbar::fuzz::Bytes;
using busbar::fuzz::Choices;

const std::array<std::string, 4> kNames = {"beta", "gamma", "delta", "alpha"};
/// Whose keys the callers have proved, by their number: the first two have none.
const std::array<std::string_view, 4> kProven = {"", "", "beta", "gamma"};
const std::array<std::string, 4> kAddresses = {"tcp://beta:1", "tcp://10.0.0.1:1", "tcp://gamma:1", "tcp://alpha:1"};

MembershipOptions options_of_alpha() {
  MembershipOptions options;
  options.node = "alpha";
  options.incarnation = 5;
  options.registry_address = "tcp://alpha:1";
  options.call_address = "tcp://alpha:2";
  options.seeds = {"tcp://beta:1", "tcp://gamma:1"};
  options.seed_names = {"tcp://seeds:1"};
  options.max_peers = 2;
  return options;
}

void check_it_can_be_read(const wire::Message& message) {
  const auto written = wire::encode(message);
  if (wire::encode(wire::decode(written)) != written) std::abort();
}

/// A node, and what its driver knows of its connections.
class Driven {
 public:
  Driven() { perform(node_.start(now_)); }

  /// One thing happens, some time after the one before.
  void step(Choices& choices) {
    const unsigned what = choices.below(13);
    pass(choices.byte());
    const unsigned who = choices.byte();
    switch (what) {
      case 0:
        return hear_from_link(link(who), choices);
      case 1:
      case 2:
        return hear_from_caller(CallerId{who & 3U}, choices);
      case 3:
        return perform(node_.link_up(now_, link(who), who < 128 ? "" : kNames[who >> 5U & 3U]));
      case 4:
        return perform(node_.link_down(now_, link(who), "down"));
      case 5:
        return perform(node_.caller_gone(now_, CallerId{who & 3U}));
      case 6:
        return perform(node_.resolved(now_, "tcp://seeds:1", addresses(choices), "no such name"));
      case 7:
        return perform(node_.local_services_changed(now_, services(who)));
      case 8:
        return perform(node_.from_caller(now_, CallerId{who & 3U}, hello(choices), kProven[who & 3U]));
      case 9:
        return perform(node_.from_link(now_, link(who), welcome(choices)));
      case 10:
        return perform(node_.from_link(now_, asked_, pong(choices)));
      case 11:
        return perform(node_.link_renewed(now_, link(who), who < 128 ? "" : kNames[who >> 5U & 3U]));
      default:
        return;  // time has gone by
    }
  }
  void end() {
    perform(node_.leave(now_));
    node_.rows();
  }

 private:
  /// So many twentieths of a second; 255: as long as it has nothing to do.
  void pass(unsigned twentieths) {
    const Time due = node_.next_deadline();
    now_ = twentieths != 255 ? now_ + std::chrono::milliseconds(50) * twentieths : std::max(now_, std::min(due, far()));
    perform(node_.tick(now_));
  }
  Time far() const { return now_ + std::chrono::hours(2); }

  void perform(const Actions& actions) {
    for (const Action& action : actions) {
      if (const auto* connect = std::get_if<Connect>(&action)) links_.push_back(connect->link);
      if (const auto* sent = std::get_if<SendToLink>(&action)) note(*sent);
      if (const auto* sent = std::get_if<SendToCaller>(&action)) check_it_can_be_read(*sent->message);
    }
    for (std::size_t caller = 0; caller < kProven.size(); ++caller) {
      const std::string* name = node_.name_of(CallerId{caller});
      if (!kProven[caller].empty() && name != nullptr && *name != kProven[caller]) std::abort();
    }
  }
  void note(const SendToLink& sent) {
    check_it_can_be_read(*sent.message);
    if (const auto* ping = std::get_if<wire::Ping>(sent.message.get())) {
      asked_ = sent.link;
      nonce_ = ping->nonce;
    }
  }
  LinkId link(unsigned who) const { return links_.empty() ? LinkId{1} : links_[who % links_.size()]; }

  void hear_from_link(LinkId link, Choices& choices) {
    try {
      perform(node_.from_link(now_, link, read(choices)));
    } catch (const wire::BadMessage& error) {
      perform(node_.bad_from_link(now_, link, error.what()));
    }
  }
  void hear_from_caller(CallerId caller, Choices& choices) {
    try {
      perform(node_.from_caller(now_, caller, read(choices), kProven[static_cast<std::size_t>(caller)]));
    } catch (const wire::BadMessage& error) {
      perform(node_.bad_from_caller(now_, caller, error.what()));
    }
  }
  /// A message is a length in two bytes, and so many.
  static wire::Message read(Choices& choices) {
    const std::size_t low = choices.byte();
    wire::Message message = wire::decode(choices.take(low | std::size_t{choices.byte()} << 8));
    if (!std::holds_alternative<wire::Unknown>(message) && !std::holds_alternative<wire::OtherMajor>(message)) {
      check_it_can_be_read(message);
    }
    return message;
  }
  // Those that are not read from bytes: so that it comes to more than one node often enough.
  static NodeRecord record(Choices& choices) {
    NodeRecord out;
    out.name = choices.one_of(kNames);
    out.incarnation = choices.byte();
    out.version = choices.byte();
    out.registry_address = choices.one_of(kAddresses);
    out.call_address = "tcp://there:2";
    out.services = services(choices.byte());
    return out;
  }
  static wire::Hello hello(Choices& choices) {
    wire::Hello out;
    out.cluster = "busbar";
    out.established = choices.flip();
    out.record = record(choices);
    return out;
  }
  static wire::Welcome welcome(Choices& choices) {
    wire::Welcome out;
    out.established = choices.flip();
    out.record = record(choices);
    for (unsigned count = choices.below(3); count != 0; --count) {
      out.peers.push_back({choices.one_of(kNames), choices.byte(), choices.one_of(kAddresses)});
    }
    return out;
  }
  wire::Pong pong(Choices& choices) const { return {nonce_, choices.one_of(kNames), choices.byte()}; }

  static std::vector<std::string> addresses(Choices& choices) {
    std::vector<std::string> out;
    for (unsigned count = choices.below(4); count != 0; --count) out.push_back(choices.one_of(kAddresses));
    return out;
  }
  static std::vector<RemoteService> services(unsigned count) {
    std::vector<RemoteService> out;
    for (unsigned i = 0; i < count % 3; ++i) out.push_back({.name = "s" + std::to_string(i), .router = "r"});
    return out;
  }

  Membership node_{options_of_alpha(), {}};
  Time now_{};
  std::vector<LinkId> links_;
  LinkId asked_{1};  // with the last ping
  std::uint64_t nonce_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Driven node;
  Choices choices({data, size});
  while (!choices.over()) node.step(choices);
  node.end();
  return 0;
}
