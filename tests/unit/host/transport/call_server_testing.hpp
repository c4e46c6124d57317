// A CallServer to be talked to by sockets that know nothing of its other side.
#pragma once

#include <busbar/cbor/sink.hpp>
#include <busbar/thread_safety.hpp>
#include <busbar/wire/envelope.hpp>

#include <gtest/gtest.h>
#include <zmq.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include <zmq.hpp>

#include "support/eventually.hpp"
#include "transport/call_server.hpp"

namespace busbar::testing {

using host::CallPlaneOptions;
using host::CallPlaneStats;
using host::CallServer;
using host::Requester;
using host::Sent;
using wire::Envelope;
using wire::EnvelopeType;
using Bytes = std::vector<std::uint8_t>;

inline constexpr std::size_t kClientMaxMessage = 1024 * 1024;

inline Bytes bytes_of(const Envelope& envelope) {
  cbor::ByteSink sink;
  wire::write_envelope(sink, envelope);
  return sink.take();
}

inline Envelope hello_envelope(std::string_view node = "caller", std::string_view cluster = "test") {
  Envelope hello;
  hello.type = EnvelopeType::hello;
  hello.major = wire::kCallProtocolMajor;
  hello.minor = wire::kCallProtocolMinor;
  hello.cluster = cluster;
  hello.node = node;
  hello.incarnation = 7;
  hello.role = wire::Role::node;
  hello.max_message = kClientMaxMessage;
  return hello;
}

inline Bytes request_of(std::uint64_t attempt, std::string_view service = "echo") {
  Envelope request;
  request.type = EnvelopeType::request;
  request.major = wire::kCallProtocolMajor;
  request.attempt = attempt;
  request.service = service;
  request.message_id = "0123456789012345678901";
  request.remaining_us = 5'000'000;
  return bytes_of(request);
}

inline Bytes answer_of(std::uint64_t attempt, std::size_t value_size = 0) {
  const Bytes value(value_size, 0);
  Envelope answer;
  answer.type = EnvelopeType::answer;
  answer.major = wire::kCallProtocolMajor;
  answer.attempt = attempt;
  answer.kind = 1;
  answer.value = value;
  return bytes_of(answer);
}

/// What is left of an envelope when its frame is gone.
struct Heard {
  EnvelopeType type;
  std::uint64_t attempt;
  std::string name;
  std::string text;
  std::string node;
  std::string cluster;
  std::uint64_t incarnation;
  std::uint64_t max_message;
  wire::Role role;
  std::uint32_t major;
};

/// The other side: a DEALER that sends whatever a test wants.
class Caller {
 public:
  Caller(zmq::context_t& context, const std::string& address, int high_water_mark = 0)
      : socket_(context, zmq::socket_type::dealer) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::sndhwm, high_water_mark);
    socket_.set(zmq::sockopt::rcvhwm, high_water_mark);
    socket_.connect(address);
  }

  void send(const Bytes& frame) { socket_.send(zmq::buffer(frame), zmq::send_flags::none); }
  void send(const Envelope& envelope) { send(bytes_of(envelope)); }
  void send_parts(const std::vector<Bytes>& parts) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      socket_.send(zmq::buffer(parts[i]), i + 1 < parts.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
    }
  }

  /// The envelopes of the next frame; none if none comes.
  std::vector<Heard> frame(std::chrono::milliseconds patience = kFarAway) {
    socket_.set(zmq::sockopt::rcvtimeo, static_cast<int>(patience.count()));
    std::vector<Heard> heard;
    zmq::message_t message;
    if (!socket_.recv(message)) return heard;
    EXPECT_FALSE(message.more());
    last_size_ = message.size();
    for (wire::Bytes rest(message.data<std::uint8_t>(), message.size()); !rest.empty();) {
      const Envelope e = wire::read_envelope(rest);
      heard.push_back({e.type, e.attempt, std::string(e.name), std::string(e.text), std::string(e.node),
                       std::string(e.cluster), e.incarnation, e.max_message, e.role, e.major});
    }
    return heard;
  }

  /// The next envelope, which is alone in its frame.
  Heard one() {
    const auto heard = frame();
    EXPECT_EQ(heard.size(), 1u);
    return heard.empty() ? Heard{} : heard.front();
  }

  void greet(std::string_view node = "caller") {
    send(hello_envelope(node));
    EXPECT_EQ(one().type, EnvelopeType::welcome);
  }

  std::size_t last_size() const { return last_size_; }
  zmq::socket_t& socket() { return socket_; }
  void close() { socket_.close(); }

 private:
  zmq::socket_t socket_;
  std::size_t last_size_ = 0;
};

/// What the server finds, handed to a test.
class ScriptedRequests : public host::RequestEvents {
 public:
  using Handler = std::function<void(const std::shared_ptr<Requester>&, const Envelope&)>;

  explicit ScriptedRequests(Handler handler = {}) : handler_(std::move(handler)) {}

  void on_request(const std::shared_ptr<Requester>& from, const Envelope& envelope) noexcept override {
    {
      const MutexLock lock(mutex_);
      attempts_.push_back(envelope.attempt);
      last_ = from;
    }
    if (handler_) handler_(from, envelope);
  }
  void on_gone(const Requester& requester) noexcept override {
    const MutexLock lock(mutex_);
    gone_.push_back(requester.name());
  }

  std::vector<std::uint64_t> attempts() {
    const MutexLock lock(mutex_);
    return attempts_;
  }
  std::vector<std::string> gone() {
    const MutexLock lock(mutex_);
    return gone_;
  }
  /// Who sent the last request.
  std::shared_ptr<Requester> last() {
    const MutexLock lock(mutex_);
    return last_;
  }

 private:
  const Handler handler_;
  Mutex mutex_;
  std::vector<std::uint64_t> attempts_ BUSBAR_GUARDED_BY(mutex_);
  std::vector<std::string> gone_ BUSBAR_GUARDED_BY(mutex_);
  std::shared_ptr<Requester> last_ BUSBAR_GUARDED_BY(mutex_);
};

inline void answer_at_once(const std::shared_ptr<Requester>& from, const Envelope& envelope) {
  from->answer(answer_of(envelope.attempt), false);
}

inline CallPlaneOptions server_options() {
  CallPlaneOptions options;
  options.node = "provider";
  options.cluster = "test";
  options.incarnation = [] { return std::uint64_t{42}; };
  return options;
}

/// A server that has started, and a context for its callers.
struct Served {
  explicit Served(ScriptedRequests::Handler handler = answer_at_once, CallPlaneOptions options = server_options(),
                  host::Logger log = {})
      : requests(std::move(handler)), server(context, options, std::move(log)) {
    server.start(requests, {});
  }

  Caller caller(int high_water_mark = 0) { return Caller(callers, server.address(), high_water_mark); }
  CallPlaneStats stats() const {
    CallPlaneStats stats;
    server.fill(stats);
    return stats;
  }
  void stop(std::chrono::milliseconds linger = std::chrono::milliseconds(100)) { server.stop(linger); }

  ScriptedRequests requests;
  zmq::context_t context{1};
  zmq::context_t callers{1};
  CallServer server;
};

}  // namespace busbar::testing
