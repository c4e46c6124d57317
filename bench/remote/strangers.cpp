// What those cost who come to a host with keys while somebody calls it: how many it takes a second, and what becomes of
// the calls.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>

#include "busbar/registry/net/socket.hpp"
#include "remote/bench_keys.hpp"
#include "remote/busbar_side.hpp"
#include "remote/figures.hpp"
#include "remote/host_server.hpp"
#include "sample.hpp"

namespace bench {

namespace net = busbar::registry::net;

namespace {

// Whom a visitor is, and how many come in a second; 0: one after the other, without a pause.
struct Visits {
  const char* kind;
  int pace;
};
constexpr std::array kAll = {Visits{"handshakes", 20}, Visits{"handshakes", 100}, Visits{"handshakes", 300},
                             Visits{"handshakes", 0},  Visits{"half", 0},         Visits{"rubbish", 0}};
constexpr Placement kAside{"host and caller on CPU 0, strangers on 1", 0, 0, false, ""};
constexpr Placement kFree{"unpinned", kUnpinned, kUnpinned, false, ""};

int connect_to(const std::string& address) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) return descriptor;
  ::close(descriptor);
  return -1;
}

/// Connections that are held open; each new one takes the place of the oldest.
class Held {
 public:
  void open(const std::string& address, std::string_view bytes) {
    int& place = held_[next_++ % held_.size()];
    if (place > 0) ::close(place);
    place = connect_to(address);
    if (place > 0) (void)!::send(place, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

 private:
  std::array<int, 400> held_{};
  std::size_t next_ = 0;
};

// A handshake with a key that is listed, to its end. Returns whether it was one.
bool shake_hands(zmq::context_t& context, const std::string& address, const busbar::keys::OwnKey& own,
                 const busbar::keys::PublicKey& server) {
  const net::Curve curve{.own = own.secret, .server = &server};
  zmq::socket_t dealer = net::make_dealer(context, {}, &curve);
  net::Monitor monitor(context, dealer);
  dealer.connect(address);
  for (;;) {
    zmq::pollitem_t item{monitor.socket().handle(), 0, ZMQ_POLLIN, 0};
    if (zmq::poll(&item, 1, std::chrono::seconds(2)) == 0) return false;
    while (const auto happened = monitor.next()) {
      if (happened->event == net::Monitor::Event::handshake_succeeded) return true;
      if (happened->event != net::Monitor::Event::connected) return false;
    }
  }
}

// The greeting of ZMTP 3.1 with CURVE, and then nothing.
std::string greeting() {
  std::string bytes("\xFF\0\0\0\0\0\0\0\1\x7F\3\1CURVE", 17);
  bytes.resize(64, '\0');
  return bytes;
}

}  // namespace

void serve_strangers(const std::string& keys) {
  const std::string kind = std::getenv("BENCH_KIND") == nullptr ? "handshakes" : std::getenv("BENCH_KIND");
  const busbar::keys::OwnKey own = key_of(keys, "caller");
  const busbar::keys::PublicKey server = key_of(keys, "provider").key;
  zmq::context_t context = net::make_context(1, 1'000);
  std::string address, pace_text, rubbish(200, '\x55');
  std::getline(std::cin, address);
  std::getline(std::cin, pace_text);
  const int pace = std::stoi(pace_text);
  std::atomic<bool> going{true};
  std::atomic<std::uint64_t> done{0};
  std::thread visiting([&] {
    Held held;
    const Nanos begun = now_ns();
    for (std::int64_t i = 0; going; ++i) {
      while (pace != 0 && going && now_ns() < begun + i * kSecond / pace) ::usleep(200);
      if (kind == "handshakes") {
        if (!shake_hands(context, address, own, server)) continue;
      } else {
        held.open(address, kind == "half" ? greeting() : rubbish);
      }
      ++done;
    }
  });
  say_to_starter("visiting");
  for (std::string line; std::getline(std::cin, line) && line != "end";) say_to_starter(std::to_string(done));
  going = false;
  visiting.join();
}

namespace {

/// One caller of a host, both with keys.
class Called final : public Handoff {
 public:
  Called(const Placement& at, const std::string& keys) {
    run_on(at.worker);
    server_ = std::make_unique<HostServer>(keys);
    run_on(at.caller);
    client_ = make_client(server_->seed(), "bench_inline", keys);
  }
  void call() override {
    busbar::Message message = busbar::Message::of("bench_inline", sample_);
    client_->dispatcher().dispatch(message);
    check(message);
  }
  std::string calls_address() const {
    for (const auto& row : client_->nodes()) {
      if (row.name == "provider") return row.call_address;
    }
    return {};
  }

 private:
  const Sample sample_ = make_sample();
  std::unique_ptr<HostServer> server_;
  std::unique_ptr<busbar::Node> client_;
};

struct Visited {
  Latency calls;
  double per_second = 0;
};

Visited measure_visited(Called& called, const Visits& visits, const Placement& at, const std::string& keys,
                        Nanos duration) {
  run_on(at.worker == kUnpinned ? kUnpinned : 1);
  ::setenv("BENCH_KIND", visits.kind, 1);
  ServerProcess strangers({own_program(), "--serve", "strangers", "--keys", keys});
  run_on(at.caller);
  strangers.say(called.calls_address());
  strangers.say(std::to_string(visits.pace));
  strangers.line();
  const auto count = [&] {
    strangers.say("?");
    return std::stod(strangers.line());
  };
  const double before = count();
  const Nanos begun = now_ns();
  Visited seen;
  seen.calls = measure(called, duration);
  seen.per_second = (count() - before) * kSecond / static_cast<double>(now_ns() - begun);
  strangers.say("end");
  return seen;
}

}  // namespace

void measure_strangers(const RemoteOptions& options) {
  std::printf("\ncalls one at a time while strangers come (us: with them / without = ratio), p99 at most 2\n");
  const BenchKeys keys;
  for (const Placement& at : {kAside, kFree}) {
    for (const Visits& visits : kAll) {
      if (!options.wants(visits.kind, at.name)) continue;
      Called called(at, keys.directory());
      std::vector<double> quiet, visited, ratio, p50, rate;
      for (int round = 0; round < options.rounds; ++round) {
        const Latency without = measure(called, options.ms * kMillisecond);
        const Visited with = measure_visited(called, visits, at, keys.directory(), options.ms * kMillisecond);
        quiet.push_back(without.p99 / kMicrosecond);
        visited.push_back(with.calls.p99 / kMicrosecond);
        ratio.push_back(with.calls.p99 / without.p99);
        p50.push_back(with.calls.p50 / without.p50);
        rate.push_back(with.per_second);
      }
      run_on(kUnpinned);
      const std::string name =
          std::string(visits.kind) + (visits.pace == 0 ? ", no pause" : ", " + std::to_string(visits.pace));
      std::printf("%-22s %-42s %7.0f a second   p99 %8.2f / %8.2f us = %6.3f   p50 ratio %6.3f\n", name.c_str(),
                  at.name, median(rate), median(visited), median(quiet), median(ratio), median(p50));
      std::fflush(stdout);
    }
  }
}

}  // namespace bench
