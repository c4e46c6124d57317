// What a scrape of a host with 1,000 services takes, all of which have been called; and what calls notice of one each
// 100 ms: one call each 0.2 ms from another process, each counted from when it was due, in rounds with and without.
//
// usage: scrape_bench [--rounds N] [--seconds N] [--every MS]
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "cluster/daemon.hpp"
#include "node/node.hpp"
#include "sample.hpp"
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

  // Its milliseconds; `bytes`: how large it was.
  double scrape(std::size_t& bytes) const {
    const Nanos begun = now_ns();
    const auto reply = busbar::testing::http_get(address_, "/metrics");
    if (reply.status != 200) throw std::runtime_error("a scrape was answered " + std::to_string(reply.status));
    bytes = reply.body.size();
    return static_cast<double>(now_ns() - begun) / 1e6;
  }

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

void measure_scrape(const Scraped& host) {
  std::vector<double> ms;
  std::size_t bytes = 0;
  for (int i = 0; i < 50; ++i) ms.push_back(host.scrape(bytes));
  std::printf("a scrape of %d services, %.1f MB: median %.1f ms, most %.1f ms; asked: at most 50\n", kServices,
              static_cast<double>(bytes) / 1e6, median(ms), *std::max_element(ms.begin(), ms.end()));
}

Latency calls_while_scraped(Scraped& host, const Options& options) {
  std::jthread scraper([&](const std::stop_token& stop) {
    ::setpriority(PRIO_PROCESS, 0, 19);  // Prometheus has a machine of its own
    std::size_t bytes = 0;
    while (!stop.stop_requested()) {
      host.scrape(bytes);
      std::this_thread::sleep_for(std::chrono::milliseconds(options.every_ms));
    }
  });
  return host.calls_for(options.seconds);
}

void measure_calls(Scraped& host, const Options& options) {
  std::vector<double> alone_50, alone_99, scraped_50, scraped_99, ratio;
  for (int i = 0; i < options.rounds; ++i) {
    const Latency alone = host.calls_for(options.seconds);
    const Latency scraped = calls_while_scraped(host, options);
    alone_50.push_back(alone.p50);
    alone_99.push_back(alone.p99);
    scraped_50.push_back(scraped.p50);
    scraped_99.push_back(scraped.p99);
    ratio.push_back(scraped.p99 / alone.p99);
  }
  std::printf(
      "calls, us: median %.1f, 99th percentile %.1f; while scraped each %d ms: %.1f, %.1f; ratio of the 99th %.2f\n",
      median(alone_50), median(alone_99), options.every_ms, median(scraped_50), median(scraped_99), median(ratio));
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
  bench::measure_scrape(host);
  bench::measure_calls(host, options);
}
