// What the tests of the admin socket share: a small host with one router, and a client that may misbehave.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <busbar/plugin.hpp>
#include <busbar/registry/registry.hpp>
#include <busbar/wire/admin.hpp>
#include <busbar/wire/frame_buffer.hpp>

#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "admin/admin_server.hpp"
#include "dispatch/dispatcher.hpp"
#include "dispatch/instance.hpp"

namespace busbar::host {

using namespace std::chrono_literals;

/// Waits until the condition holds. For what has no bell of its own.
template <class Condition>
bool eventually(Condition&& condition) {
  const auto limit = std::chrono::steady_clock::now() + 30s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > limit) return false;
    std::this_thread::yield();
  }
  return true;
}

/// The calls of the service "hold", which nobody answers but the test.
class HeldCalls {
 public:
  static HeldCalls& instance() {
    static HeldCalls calls;
    return calls;
  }
  void add(ReplyHandle handle) {
    const std::lock_guard lock(mutex_);
    handles_.push_back(std::move(handle));
  }
  std::size_t count() {
    const std::lock_guard lock(mutex_);
    return handles_.size();
  }
  bool caller_gone(std::size_t index) {
    const std::lock_guard lock(mutex_);
    return handles_.at(index).caller_gone();
  }
  void answer(std::size_t index, const Response& response) {
    const std::lock_guard lock(mutex_);
    handles_.at(index).reply(response);
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    handles_.clear();
  }

 private:
  std::mutex mutex_;
  std::vector<ReplyHandle> handles_;
};

class TestRouter final : public Router {
 public:
  TestRouter() {
    service("echo", &TestRouter::echo).dry_run_safe();
    service("echo_inline", &TestRouter::echo).inlined();
    service("decorate", &TestRouter::decorate);
    service("about", &TestRouter::about);
    service("hold", &TestRouter::hold);
    service("garbage", &TestRouter::garbage);
    service("secret", &TestRouter::echo);
    service("picky", &TestRouter::echo);
    private_service("hidden", &TestRouter::echo);
  }
  Authorization authorize(const Message& message) override {
    if (message.service_name() == "secret") return forbidden();
    if (message.service_name() == "picky") return refused("too_late", "come back tomorrow");
    return authorized();
  }

 private:
  Response echo(Message& message) { return Response::ok_payload(message.raw_request()); }
  Message decorate(Message& message) {
    message.assign("seen", true).add_event(std::string("first")).add_event(std::string("second"));
    return message.ok(std::string("done"), 7);
  }
  nlohmann::json about(Message& message) {
    return {{"id", message.id()},
            {"correlation_id", message.correlation_id()},
            {"origin_node", message.origin_node()},
            {"dry_run", static_cast<int>(message.dry_run())}};
  }
  Response garbage() { return Response::ok_payload(Payload::own({0x82, 0x01})); }  // an array of two, with one
  NoReply hold(Context& context) {
    HeldCalls::instance().add(context.reply_handle());
    return no_reply;
  }
};

/// A directory that is gone with its scope.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    char name[] = "/tmp/busbar-admin-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// All that a dispatcher needs, and the router above.
class SmallHost {
 public:
  SmallHost() {
    router_ = RouterBinding::create<TestRouter>(&instance_->c_host(), nullptr);
    instance_->adopt(*router_);
    std::vector<std::shared_ptr<registry::LocalProvider>> services;
    for (Endpoint& endpoint : instance_->endpoints()) services.emplace_back(instance_, &endpoint);
    registry_.register_router("tester", std::move(services));
  }
  ~SmallHost() {
    registry_.withdraw_router("tester");
    pool_.stop(now_ns() + 60 * kSecond);  // what is queued may be held yet
    HeldCalls::instance().clear();
    EXPECT_TRUE(eventually([&] { return instance_->quiet(); }));
    supervisor_.stop();
    router_->destroy(router_->self);
  }

  Dispatcher& dispatcher() { return dispatcher_; }
  const Instance& tester() const { return *instance_; }

 private:
  registry::Registry registry_;
  Supervisor supervisor_;
  EventStream events_;
  Pool pool_{supervisor_, PoolOptions{2, 16, 100, 10 * kMillisecond, 5 * kSecond, {}}};
  Dispatcher dispatcher_{"node-1", registry_, pool_, supervisor_, events_};
  std::shared_ptr<Instance> instance_ =
      std::make_shared<Instance>(InstanceFacts{"tester", "1", 1}, dispatcher_, Logger());
  const busbar_router* router_ = nullptr;
};

/// A client that says whatever it likes.
class TestClient {
 public:
  explicit TestClient(const std::filesystem::path& socket) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, socket.c_str());
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  TestClient(TestClient&& other) noexcept : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_) {}
  ~TestClient() { close(); }
  bool connected() const { return connected_; }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

  void send_bytes(const std::vector<std::uint8_t>& bytes) {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t size = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (size <= 0) return;  // the server has closed: what it said can still be read
      sent += static_cast<std::size_t>(size);
    }
  }
  /// Sends as long as the server takes something; returns how much it took.
  std::size_t send_while_taken(const std::vector<std::uint8_t>& bytes) {
    std::size_t sent = 0;
    pollfd entry{fd_, POLLOUT, 0};
    while (sent < bytes.size() && ::poll(&entry, 1, 500) == 1) {
      const ssize_t size = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (size > 0) sent += static_cast<std::size_t>(size);
    }
    return sent;
  }
  void send(const wire::AdminRequest& request) { send_bytes(wire::frame_of(request)); }

  /// The next answer, or nothing at the end of the connection.
  std::optional<wire::AdminAnswer> receive() {
    wire::FrameBuffer incoming(std::numeric_limits<std::uint32_t>::max());
    while (!incoming.complete()) {
      if (!readable(30s)) {
        ADD_FAILURE() << "no answer came";
        return std::nullopt;
      }
      const auto room = incoming.room();
      const ssize_t size = ::recv(fd_, room.data(), room.size(), 0);
      if (size <= 0) return std::nullopt;
      incoming.arrived(static_cast<std::size_t>(size));
    }
    return cbor::decode<wire::AdminAnswer>(incoming.take());
  }
  bool readable(std::chrono::milliseconds limit) {
    pollfd entry{fd_, POLLIN, 0};
    return ::poll(&entry, 1, static_cast<int>(limit.count())) == 1;
  }

  wire::AdminAnswer ask(const wire::AdminRequest& request) {
    send(request);
    auto answer = receive();
    if (!answer) ADD_FAILURE() << "the connection ended without an answer";
    return answer.value_or(wire::AdminAnswer{});
  }

 private:
  int fd_ = -1;
  bool connected_ = false;
};

inline wire::Item item_of_json(const nlohmann::json& json) { return cbor::from_json(json); }
inline nlohmann::json json_of(const std::optional<wire::Item>& item) {
  return item ? cbor::to_json(*item) : nlohmann::json();
}

inline wire::AdminRequest request_of(std::string_view verb, std::uint64_t seq = 1) {
  wire::AdminRequest request;
  request.seq = seq;
  request.verb = verb;
  return request;
}
inline wire::AdminRequest call_of(std::string_view service, const nlohmann::json& payload = nlohmann::json::object(),
                                  std::uint64_t seq = 1) {
  wire::AdminRequest request = request_of(wire::admin_verb::kCall, seq);
  request.service = service;
  request.request = item_of_json(payload);
  request.timeout_ms = 60'000;
  return request;
}

/// A served admin socket. `ready`, `tell` and `scanned` are the test's to play the host with.
class AdminServerTest : public ::testing::Test {
 protected:
  void SetUp() override { HeldCalls::instance().clear(); }
  void TearDown() override { server_.reset(); }

  void serve(AdminOptions options = {}) {
    server_ = std::make_unique<AdminServer>(socket_, host_.dispatcher(), hooks(), Logger(), options);
  }
  TestClient connect() {
    TestClient client(socket_);
    EXPECT_TRUE(client.connected());
    return client;
  }

  AdminHooks hooks() {
    AdminHooks hooks;
    hooks.services = [](CallerIs caller) {
      nlohmann::json list = {{{"name", "echo"}, {"visibility", "public"}, {"providers", {"node-1"}}}};
      if (caller == CallerIs::here) {
        list.push_back({{"name", "hidden"}, {"visibility", "private"}, {"providers", {"node-1"}}});
      }
      return nlohmann::json{{"services", list}};
    };
    hooks.nodes = [] { return nlohmann::json{{"nodes", {{{"name", "node-1"}, {"state", "self"}}}}}; };
    hooks.describe = [](std::string_view service, CallerIs caller) -> std::optional<nlohmann::json> {
      if (service != "echo" && (service != "hidden" || caller != CallerIs::here)) return std::nullopt;
      return nlohmann::json{
          {"name", service}, {"visibility", service == "hidden" ? "private" : "public"}, {"described_by", "node-1"}};
    };
    hooks.plugins = [this]() -> nlohmann::json {
      if (plugins_fail) throw std::runtime_error("the list is on fire");
      return {{"plugins", {{{"name", "tester"}, {"file", "/tmp/\xff.so"}}}}};
    };
    hooks.status = [] { return nlohmann::json{{"node", "node-1"}, {"ready", true}}; };
    hooks.rescan = [this](std::function<void(nlohmann::json)> done) {
      const std::lock_guard lock(mutex_);
      scanned_ = std::move(done);
    };
    hooks.calls = [] { return nlohmann::json{{"calls", {{{"service", "echo"}}}}}; };
    hooks.stats = [] { return nlohmann::json{{"unserved", 7}}; };
    hooks.order = [](std::string_view verb, const std::string& plugin, auto done) {
      done(plugin == "nobody" ? "there is no such plugin" : "", {{"plugins", {{{"name", plugin}, {"done", verb}}}}});
    };
    hooks.ready = [this] { return ready; };
    hooks.when_ready = [this](std::function<void()> tell) { tell_ = std::move(tell); };
    return hooks;
  }
  /// Ends a scan that was asked for.
  bool end_scan(const nlohmann::json& document) {
    return eventually([&] {
      const std::lock_guard lock(mutex_);
      if (!scanned_) return false;
      std::exchange(scanned_, nullptr)(document);
      return true;
    });
  }

  bool ready = true;
  std::atomic<bool> plugins_fail{false};
  std::function<void()> tell_;

  TemporaryDirectory directory_;
  const std::filesystem::path socket_ = directory_.path() / "busbar.sock";
  SmallHost host_;
  std::unique_ptr<AdminServer> server_;

 private:
  std::mutex mutex_;
  std::function<void(nlohmann::json)> scanned_;
};

}  // namespace busbar::host
