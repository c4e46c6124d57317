// What a scrape of a host with 1,000 services takes, all of which have been called; and what calls notice of one each
// 100 ms: one call each 0.2 ms from another process, each counted from when it was due, in rounds without, with, and
// with the floor in place of the host: somebody else on this machine who sends the same bytes, ready made, as often.
//
// usage: scrape_bench [--rounds N] [--seconds N] [--every MS]
#include <sched.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cluster/daemon.hpp"
#include "node/node.hpp"
#include "sample.hpp"
#include "scheduling/give_way.hpp"
#include "support.hpp"
#include "support/http_client.hpp"

namespace bench {
namespace {

constexpr int kServices = 1'000;
constexpr Nanos kEach = 200 * kMicrosecond;

struct Options {
  int rounds = 9;
  int seconds = 3;
  int every_ms = 100;
};

std::filesystem::path make_directory(const ClusterDirectory& root) {
  const auto directory = root.path() / "a";
  std::filesystem::create_directories(directory / "plugins");
  std::filesystem::copy_file(THOUSAND_PLUGIN, directory / "plugins" / "thousand.so");
  std::ofstream(directory / "busbar.toml") << "[http]\nlisten = \"127.0.0.1:0\"\n";
  return directory;
}

// Answers whoever connects with the same text.
class ReadyMade {
 public:
  explicit ReadyMade(const std::string& text)
      : answer_("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(text.size()) + "\r\n\r\n" + text),
        listener_(io_, {boost::asio::ip::make_address("127.0.0.1"), 0}),
        thread_([this] { serve(); }) {}
  ~ReadyMade() {
    over_ = true;
    boost::asio::ip::tcp::socket last(io_);
    last.connect(listener_.local_endpoint());
    thread_.join();
  }
  ReadyMade(const ReadyMade&) = delete;
  ReadyMade& operator=(const ReadyMade&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(listener_.local_endpoint().port()); }

 private:
  void serve() {
    busbar::host::give_way();
    for (;;) {
      auto client = listener_.accept();
      if (over_) return;
      boost::asio::streambuf request;
      boost::asio::read_until(client, request, "\r\n\r\n");
      boost::asio::write(client, boost::asio::buffer(answer_));
    }
  }

  const std::string answer_;
  boost::asio::io_context io_;
  boost::asio::ip::tcp::acceptor listener_;
  std::atomic<bool> over_{false};
  std::thread thread_;
};

// The text at that address.
std::string scrape(const std::string& address) {
  auto reply = busbar::testing::http_get(address, "/metrics");
  if (reply.status != 200) throw std::runtime_error("a scrape was answered " + std::to_string(reply.status));
  return std::move(reply.body);
}

class Scraped {
 public:
  Scraped() : directory_(make_directory(root_)), daemon_("a", directory_, {"--config", directory_ / "busbar.toml"}) {
    while (!daemon_.ask("status").at("ready").get<bool>()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    address_ = daemon_.ask("status").at("http").at("address");
    node_ = std::make_unique<busbar::Node>(busbar::NodeOptions{
        .name = "caller", .join = {daemon_.ask("status").at("cluster").at("registry_address").get<std::string>()}});
    if (!node_->wait_for("service_0", std::chrono::seconds(10))) throw std::runtime_error("the host was not found");
    for (int i = 0; i < 3 * kServices; ++i) call(i);
  }

  const std::string& address() const { return address_; }

  // The microseconds below which half of the calls lie, and 99 of 100.
  Latency calls_for(int seconds) {
    std::vector<double> us;
    const Nanos begun = now_ns();
    const Nanos end = begun + seconds * kSecond;
    for (Nanos due = begun; due < end; due += kEach) {
      while (now_ns() < due) {
      }
      call(static_cast<int>(us.size()));
      us.push_back(static_cast<double>(now_ns() - due) / 1e3);
    }
    std::sort(us.begin(), us.end());
    return {us[us.size() / 2], us[us.size() * 99 / 100]};
  }

 private:
  void call(int number) {
    const auto response =
        node_->dispatch(busbar::Message::of("service_" + std::to_string(number % kServices), make_sample())).response();
    if (!response.succeeded()) throw std::runtime_error("a call has failed: " + std::string(response.text()));
  }

  const ClusterDirectory root_;
  const std::filesystem::path directory_;
  const Daemon daemon_;
  std::string address_;
  std::unique_ptr<busbar::Node> node_;
};

// Returns the text.
std::string measure_scrape(const Scraped& host) {
  std::vector<double> ms;
  std::string text;
  for (int i = 0; i < 50; ++i) {
    const Nanos begun = now_ns();
    text = scrape(host.address());
    ms.push_back(static_cast<double>(now_ns() - begun) / 1e6);
  }
  std::printf("a scrape of %d services, %.1f MB: median %.1f ms, most %.1f ms; asked: at most 50\n", kServices,
              static_cast<double>(text.size()) / 1e6, median(ms), *std::max_element(ms.begin(), ms.end()));
  return text;
}

Latency calls_while_scraped(Scraped& host, const std::string& address, const Options& options) {
  std::jthread scraper([&](const std::stop_token& stop) {
    const sched_param none{};
    ::sched_setscheduler(0, SCHED_IDLE, &none);  // Prometheus has a machine of its own
    while (!stop.stop_requested()) {
      scrape(address);
      std::this_thread::sleep_for(std::chrono::milliseconds(options.every_ms));
    }
  });
  return host.calls_for(options.seconds);
}

struct Figures {
  std::vector<double> p50, p99, ratio;  // to the calls of the same round that nobody disturbs
  void add(const Latency& one, const Latency& alone) {
    p50.push_back(one.p50);
    p99.push_back(one.p99);
    ratio.push_back(one.p99 / alone.p99);
  }
  void print(const char* what) const {
    std::printf("  %-34s median %8.1f, 99th percentile %8.1f; ratio of the 99th %.2f\n", what, median(p50), median(p99),
                median(ratio));
  }
};

void measure_calls(Scraped& host, const ReadyMade& floor, const Options& options) {
  Figures undisturbed, scraped, beside;
  for (int i = 0; i < options.rounds; ++i) {
    const Latency alone = host.calls_for(options.seconds);
    undisturbed.add(alone, alone);
    scraped.add(calls_while_scraped(host, host.address(), options), alone);
    beside.add(calls_while_scraped(host, floor.address(), options), alone);
  }
  std::printf("calls, us; a scrape %d ms after the one before:\n", options.every_ms);
  undisturbed.print("nobody scrapes");
  scraped.print("the host is scraped");
  beside.print("the floor: somebody else is");
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  bench::Options options;
  CLI::App app("Measures a scrape of /metrics, and what calls notice of it.", "scrape_bench");
  app.add_option("--rounds", options.rounds, "Rounds, at least 5 for a figure");
  app.add_option("--seconds", options.seconds, "How long each round of calls takes");
  app.add_option("--every", options.every_ms, "Milliseconds from one scrape's end to the next");
  CLI11_PARSE(app, argc, argv);
  bench::Scraped host;
  const bench::ReadyMade floor(bench::measure_scrape(host));
  bench::measure_calls(host, floor, options);
}
