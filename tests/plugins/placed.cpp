// Services that tell where they run, by the process's number, and that a test of several nodes can place, hold and end.
#include <busbar/plugin.hpp>

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

struct Place {
  std::string node;
  bool hold = false;
  std::string until;  // a file
  template <class Archive>
  void serialize(Archive& archive) {
    archive(busbar::field("node", node, std::string()), busbar::field("hold", hold, false),
            busbar::field("until", until, std::string()));
  }
};

struct Pids {
  std::vector<std::int64_t> pids;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(pids));
  }
};

struct Passed {
  std::string service;
  nlohmann::json request;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(service), CEREAL_NVP(request));
  }
};

struct Keyed {
  std::string key;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(key));
  }
};

struct Counts {
  std::uint32_t authorized = 0;
  std::uint32_t chosen = 0;
  std::uint32_t held = 0;
  std::uint32_t left = 0;
  std::uint32_t spared = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(authorized), CEREAL_NVP(chosen), CEREAL_NVP(held), CEREAL_NVP(left), CEREAL_NVP(spared));
  }
};

class Placed final : public busbar::Router {
 public:
  Placed() {
    service("where", &Placed::where);
    service("where_by_key", &Placed::where_by_key).sticky("key");
    service("where_is_least", &Placed::where).strategy(busbar::Strategy::least_pending);
    service("runs_at", &Placed::runs_at);
    service("only_at", &Placed::only_at);
    service("holds", &Placed::holds);
    service("dies_at", &Placed::dies_at);
    service("dies_at_idempotent", &Placed::dies_at).idempotent();
    service("passes_on", &Placed::passes_on);
    service("unauthorizable_at", &Placed::unauthorizable_at);
    private_service("counts", &Placed::counts);
    private_service("let_go", &Placed::let_go);
  }

  busbar::Authorization authorize(const busbar::Message& message) override {
    if (message.service_name() == "runs_at") ++authorized_;
    if (message.service_name() == "unauthorizable_at" && is_named(message.raw_request_as<Pids>())) {
      throw std::runtime_error("no doorman in " + std::to_string(here()));
    }
    return busbar::authorized();
  }

  std::string choose_node(const busbar::Message& message) override {
    if (message.service_name() != "runs_at") return {};
    ++chosen_;
    return message.raw_request_as<Place>().node;
  }

  // For who wants to know what became of the answers.
  void stop() override { log().info("where: handled " + std::to_string(asked_where_)); }

 private:
  static std::int64_t here() { return getpid(); }
  static bool is_named(const Pids& request) {
    return std::find(request.pids.begin(), request.pids.end(), here()) != request.pids.end();
  }

  std::int64_t where() {
    ++asked_where_;
    return here();
  }

  std::int64_t where_by_key(const Keyed&) { return here(); }

  std::int64_t runs_at(const Place& request, busbar::Context& context) {
    if (request.hold) wait_until_left(context);
    while (!request.until.empty() && access(request.until.c_str(), F_OK) != 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return here();
  }

  // Answers on the named processes only.
  busbar::Response only_at(const Pids& request) {
    if (is_named(request)) return busbar::Response::ok(here());
    return busbar::Response::try_another_node("not in " + std::to_string(here()));
  }

  // Runs until its caller is gone.
  std::int64_t holds(busbar::Context& context) {
    wait_until_left(context);
    return here();
  }

  // The end of the named processes, in the midst of the call; others answer.
  std::int64_t dies_at(const Pids& request) {
    if (is_named(request)) kill(getpid(), SIGKILL);
    ++spared_;
    return here();
  }

  // On the named processes `authorize` fails.
  std::int64_t unauthorizable_at(const Pids&) { return here(); }

  // What another service answers, wherever that is.
  busbar::Response passes_on(const Passed& request, busbar::Context& context) {
    return context.call(request.service, request.request).response();
  }

  // Whoever is held here answers.
  std::int64_t let_go() {
    let_go_ = true;
    return here();
  }

  Counts counts() { return {authorized_, chosen_, held_, left_, spared_}; }

  void wait_until_left(busbar::Context& context) {
    ++held_;
    while (!context.caller_gone() && !let_go_) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    ++left_;
  }

  std::atomic<std::uint64_t> asked_where_{0};
  std::atomic<std::uint32_t> authorized_{0};
  std::atomic<std::uint32_t> chosen_{0};
  std::atomic<std::uint32_t> held_{0};
  std::atomic<std::uint32_t> left_{0};
  std::atomic<std::uint32_t> spared_{0};
  std::atomic<bool> let_go_{false};
};

}  // namespace

BUSBAR_PLUGIN(Placed, "placed", "1.0.0")
