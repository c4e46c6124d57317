// What the tests of links share: another node that does as it is told, and a dispatch that matches answers to calls.
#pragma once

#include <busbar/wire/envelope.hpp>

#include <spdlog/sinks/ringbuffer_sink.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <latch>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>
#include <zmq.hpp>

#include "pool/waiter.hpp"
#include "support/eventually.hpp"
#include "transport/call_peers.hpp"

namespace busbar::host {

inline Nanos far_future() { return now_ns() + 60 * kSecond; }

inline wire::Bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string text_of(wire::Bytes bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

inline std::vector<std::uint8_t> encoded(const wire::Envelope& envelope) {
  cbor::ByteSink sink;
  wire::write_envelope(sink, envelope);
  return {sink.bytes().begin(), sink.bytes().end()};
}

inline std::vector<std::uint8_t> request(std::uint64_t attempt, std::string_view payload) {
  wire::Envelope envelope;
  envelope.type = wire::EnvelopeType::request;
  envelope.major = wire::kCallProtocolMajor;
  envelope.attempt = attempt;
  envelope.service = "echo";
  envelope.request = bytes_of(payload);
  return encoded(envelope);
}

// A ROUTER with a thread of its own. Welcomes whoever says hello, and answers each request with its own payload, unless
// a test says otherwise.
class ScriptedNode {
 public:
  using Frame = std::vector<std::uint8_t>;
  // What to send back for one envelope, as frames.
  using Script = std::function<std::vector<Frame>(const wire::Envelope&)>;

  explicit ScriptedNode(std::string address = "tcp://127.0.0.1:*", Script script = {})
      : script_(std::move(script)), socket_(context_, zmq::socket_type::router) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::sndhwm, 0);  // a ROUTER drops what does not fit
    socket_.bind(address);
    address_ = socket_.get(zmq::sockopt::last_endpoint);
    thread_ = std::thread([this] { run(); });
  }
  ~ScriptedNode() { close(); }

  const std::string& address() const { return address_; }

  // It is gone, as if its process had been killed.
  void close() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
    socket_.close();
    context_.close();
  }

  // It ends in order: what it has sent arrives.
  void leave() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
    socket_.set(zmq::sockopt::linger, -1);
    close();
  }

  // From here on nothing is read any more.
  void stop_reading() { reading_ = false; }
  void read_again() { reading_ = true; }

  static Frame welcome(std::string node = "other", std::uint64_t incarnation = 7, std::string cluster = "test",
                       std::uint32_t major = wire::kCallProtocolMajor, std::uint64_t max_message = 1 << 20,
                       std::uint32_t minor = wire::kCallProtocolMinor) {
    wire::Envelope envelope;
    envelope.type = wire::EnvelopeType::welcome;
    envelope.major = major;
    envelope.minor = minor;
    envelope.cluster = cluster;
    envelope.node = node;
    envelope.incarnation = incarnation;
    envelope.role = wire::Role::node;
    envelope.max_message = max_message;
    return encoded(envelope);
  }

  static Frame refused(std::string_view why) {
    wire::Envelope envelope;
    envelope.type = wire::EnvelopeType::refused;
    envelope.major = wire::kCallProtocolMajor;
    envelope.text = why;
    return encoded(envelope);
  }

  static Frame answer(const wire::Envelope& request) {
    wire::Envelope envelope;
    envelope.type = wire::EnvelopeType::answer;
    envelope.major = wire::kCallProtocolMajor;
    envelope.attempt = request.attempt;
    envelope.value = request.request;
    return encoded(envelope);
  }

  static std::vector<Frame> as_usual(const wire::Envelope& envelope) {
    if (envelope.type == wire::EnvelopeType::hello) return {welcome()};
    if (envelope.type == wire::EnvelopeType::request) return {answer(envelope)};
    return {};
  }

  std::atomic<int> hellos{0};
  std::atomic<int> requests{0};
  std::atomic<int> closings{0};
  std::atomic<int> frames{0};

 private:
  void run() {
    while (!stopping_) {
      zmq::pollitem_t item{socket_.handle(), 0, ZMQ_POLLIN, 0};
      if (!reading_) {
        std::this_thread::yield();
        continue;
      }
      zmq::poll(&item, 1, std::chrono::milliseconds(10));
      while (reading_ && !stopping_ && serve_one()) {
      }
    }
  }

  bool serve_one() {
    zmq::message_t from;
    zmq::message_t frame;
    if (!socket_.recv(from, zmq::recv_flags::dontwait)) return false;
    if (!socket_.recv(frame, zmq::recv_flags::none)) return false;
    ++frames;
    wire::Bytes left(frame.data<std::uint8_t>(), frame.size());
    std::vector<Frame> answers;
    while (!left.empty()) {
      const wire::Envelope envelope = wire::read_envelope(left);
      if (envelope.type == wire::EnvelopeType::hello) ++hellos;
      if (envelope.type == wire::EnvelopeType::request) ++requests;
      if (envelope.type == wire::EnvelopeType::closing) ++closings;
      for (Frame& answer : script_ ? script_(envelope) : as_usual(envelope)) answers.push_back(std::move(answer));
    }
    for (const Frame& answer : answers) {
      socket_.send(zmq::buffer(from.data(), from.size()), zmq::send_flags::sndmore);
      socket_.send(zmq::buffer(answer.data(), answer.size()), zmq::send_flags::none);
    }
    return true;
  }

  Script script_;
  std::string address_;
  zmq::context_t context_;
  zmq::socket_t socket_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> reading_{true};
  std::thread thread_;
};

// One call as a test makes it.
struct TestCall {
  std::uint64_t attempt = 0;
  bool posted = false;
  Waiter waiter;
  std::string answer;
  std::string down;  // why the link went down under it
};

// Dispatch, as far as a link knows it.
class TestDispatch : public PeerEvents {
 public:
  void begin(Peer& peer, TestCall& call) {
    call.attempt = next_attempt_++;
    const std::lock_guard lock(mutex_);
    calls_.emplace(call.attempt, std::pair{&peer, &call});
  }
  // Returns false where it has ended, or is about to be completed, by somebody else.
  bool forget(TestCall& call) {
    const std::lock_guard lock(mutex_);
    return calls_.erase(call.attempt) != 0;
  }

  void on_envelope(Peer&, const wire::Envelope& envelope, Nanos) noexcept override {
    ++envelopes;
    TestCall* call = take(envelope.attempt);
    if (call == nullptr) {
      ++strays;
      return;
    }
    call->answer = text_of(envelope.value);
    end(*call);
  }

  void on_down(Peer& peer, std::string_view reason) noexcept override {
    std::vector<TestCall*> ended;
    {
      const std::lock_guard lock(mutex_);
      last_reason_ = reason;
      if (peer.routable()) ++wrong;
      for (auto i = calls_.begin(); i != calls_.end();) {
        if (i->second.first == &peer) {
          ended.push_back(i->second.second);
          i = calls_.erase(i);
        } else {
          ++i;
        }
      }
    }
    ++downs;
    for (TestCall* call : ended) {
      call->down = reason;
      end(*call);
    }
  }

  std::string last_reason() {
    const std::lock_guard lock(mutex_);
    return last_reason_;
  }

  std::atomic<int> envelopes{0};
  std::atomic<int> strays{0};
  std::atomic<int> downs{0};
  std::atomic<int> wrong{0};
  std::function<void(TestCall&)> on_end;  // in place of completing the waiter

 private:
  TestCall* take(std::uint64_t attempt) {
    const std::lock_guard lock(mutex_);
    const auto found = calls_.find(attempt);
    if (found == calls_.end()) return nullptr;
    TestCall* call = found->second.second;
    calls_.erase(found);
    return call;
  }
  void end(TestCall& call) noexcept {
    if (on_end) {
      on_end(call);
    } else {
      call.waiter.complete();
    }
  }

  std::mutex mutex_;
  std::unordered_map<std::uint64_t, std::pair<Peer*, TestCall*>> calls_;
  std::string last_reason_;
  std::atomic<std::uint64_t> next_attempt_{1};
};

// What was logged.
class LogLines {
 public:
  std::vector<std::string> all() const { return sink_->last_formatted(); }
  std::vector<std::string> with(std::string_view words) const {
    std::vector<std::string> found;
    for (auto& line : all()) {
      if (line.find(words) != std::string::npos) found.push_back(std::move(line));
    }
    return found;
  }
  Logger logger(std::string name) const { return logs_.get(std::move(name)); }

 private:
  std::shared_ptr<spdlog::sinks::ringbuffer_sink_mt> sink_ = std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(1'000);
  Logs logs_{LogSettings{}, sink_};
};

// This node.
class ThisNode {
 public:
  explicit ThisNode(CallPlaneOptions options = {}) : options_(with_names(std::move(options))) {}
  ~ThisNode() { peers.stop(); }

  void start() {
    peers.start(dispatch, [this] { ++routability_changes; });
  }
  std::shared_ptr<Peer> add(const std::string& address, std::uint64_t incarnation = 7) {
    return peers.add("other", incarnation, address);
  }
  std::shared_ptr<Peer> add_and_wait(const std::string& address) {
    auto peer = add(address);
    const auto& link = static_cast<const Link&>(*peer);
    // The peers' thread drives a link that has just come up, for a moment.
    const auto free = [&] { return peer->routable() && !link.worked_by_peers(); };
    if (!testing::eventually(free)) throw std::runtime_error("the peer never came up");
    return peer;
  }

  // A call whose sending was refused: nobody touches it any more.
  void take_back(TestCall& call) {
    YieldGuard guard;
    if (!dispatch.forget(call)) call.waiter.wait_until(far_future(), guard);  // the peer went down at the same moment
  }

  // Sends a request of a call that is then to be waited for.
  Sent begin(Peer& peer, TestCall& call, Seat& seat, std::string_view payload) {
    dispatch.begin(peer, call);
    const Sent sent = peer.send(request(call.attempt, payload), seat);
    if (sent != Sent::kYes) take_back(call);
    return sent;
  }
  // Returns whether it has ended; otherwise its answer will be a stray.
  bool finish(Peer& peer, TestCall& call, Seat& seat, Nanos deadline = far_future()) {
    peer.wait(seat, deadline);
    if (!call.waiter.done() && dispatch.forget(call)) return false;
    YieldGuard guard;
    return call.waiter.wait_until(far_future(), guard);
  }
  // A whole blocking call. Returns whether it was answered with its own payload.
  bool call(Peer& peer, std::string_view payload, Nanos deadline = far_future()) {
    TestCall call;
    Seat seat(call.waiter);
    return begin(peer, call, seat, payload) == Sent::kYes && finish(peer, call, seat, deadline) &&
           call.answer == payload;
  }
  // One that is answered while nobody waits for it on this thread.
  Sent post(Peer& peer, TestCall& call, std::string_view payload) {
    call.posted = true;
    dispatch.begin(peer, call);
    const Sent sent = peer.post(request(call.attempt, payload), true);
    if (sent != Sent::kYes) take_back(call);
    return sent;
  }

  CallPlaneOptions options_;
  TestDispatch dispatch;
  std::atomic<int> routability_changes{0};
  LogLines log;
  zmq::context_t context{1};
  CallPeers peers{context, options_, log.logger("host.cluster")};

 private:
  static CallPlaneOptions with_names(CallPlaneOptions options) {
    options.node = "me";
    options.cluster = "test";
    options.incarnation = [] { return std::uint64_t{3}; };
    return options;
  }
};

}  // namespace busbar::host
