#include "call_client.hpp"

#include <busbar/message_id.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "call_answer.hpp"
#include "command_line.hpp"
#include "failure.hpp"
#include "text.hpp"

namespace busbar::cli {

namespace {

using wire::Envelope;
using wire::EnvelopeType;
namespace verb = wire::admin_verb;

constexpr std::uint64_t kOnlyAttempt = 1;  // a connection is for one question
constexpr std::uint64_t kLongestAnswer = std::numeric_limits<std::uint32_t>::max();
constexpr const char* kKeyHint =
    "the host's security.authorized must have your public key, and --key and --host-key are asked for where "
    "its security.mode is \"curve\"";
constexpr const char* kReachHint =
    "\"busbar nodes\" on a host's machine shows at which address it is called; a firewall may be between";

Failure no_host(const std::string& text, std::string hint) {
  return Failure(ExitStatus::no_host, failure_code::kNoHost, text, std::move(hint));
}

Envelope make(EnvelopeType type, std::uint64_t attempt) {
  Envelope envelope;
  envelope.type = type;
  envelope.major = wire::kCallProtocolMajor;
  envelope.attempt = attempt;
  return envelope;
}

bool is_call(const wire::AdminRequest& request) {
  return request.verb == verb::kCall || request.verb == verb::kValidate || request.verb == verb::kAuthorized;
}

}  // namespace

ConnectionWatch::ConnectionWatch(zmq::context_t& context, zmq::socket_t& watched)
    : watched_(watched.handle()), events_(context, zmq::socket_type::pair) {
  // A connect that fails ends in `closed`, a connection in `disconnected`, some failures of the handshake in neither.
  constexpr int kEvents = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED |
                          ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                          ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
  constexpr const char* kAddress = "inproc://busbar-ends";  // of this context, which has one watch
  if (zmq_socket_monitor(watched_, kAddress, kEvents) != 0) throw zmq::error_t();
  events_.set(zmq::sockopt::linger, 0);
  events_.connect(kAddress);
}

// Closing the listener first can block libzmq's thread for ever.
ConnectionWatch::~ConnectionWatch() { zmq_socket_monitor(watched_, nullptr, 0); }

bool ConnectionWatch::ended() {
  zmq::message_t event;  // sixteen bits that name it, and thirty-two of its value
  zmq::message_t address;
  while (events_.recv(event, zmq::recv_flags::dontwait)) {
    std::uint16_t what = 0;
    std::int32_t value = 0;
    std::memcpy(&what, event.data(), sizeof what);
    std::memcpy(&value, event.data<char>() + sizeof what, sizeof value);
    (what == ZMQ_EVENT_CONNECTED ? connected_ : ended_) = true;
    if (what == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) {
      about_keys_ = "it does not let this key in";
    } else if (what == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL && value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH) {
      about_keys_ = "one side has keys, and the other has none";
    }
    if (event.more()) (void)events_.recv(address, zmq::recv_flags::dontwait);
  }
  return ended_;
}

CallClient::CallClient(CallClientOptions options)
    : options_(std::move(options)),
      context_(1),
      socket_(context_, zmq::socket_type::dealer),
      watch_(context_, socket_) {
  connect();
  greet();
}

wire::AdminAnswer CallClient::ask(const wire::AdminRequest& request) {
  return is_call(request) ? call(request) : query(request);
}

// ------------------------------------------------------------------------------------------------------ connecting

void CallClient::connect() {
  namespace opt = zmq::sockopt;
  const auto milliseconds = [](std::chrono::milliseconds time) { return static_cast<int>(time.count()); };
  socket_.set(opt::linger, 0);
  socket_.set(opt::ipv6, true);
  // Never, as good as: a host that comes back does not know us. With -1 (and with "immediate") libzmq throws away what
  // has arrived and was not read yet when the connection ends: the answer of a host that then stops.
  socket_.set(opt::reconnect_ivl, std::numeric_limits<int>::max());
  socket_.set(opt::connect_timeout, milliseconds(options_.greeting));
  socket_.set(opt::handshake_ivl, milliseconds(options_.greeting));
  socket_.set(opt::heartbeat_ivl, milliseconds(options_.heartbeat));
  socket_.set(opt::heartbeat_timeout, milliseconds(2 * options_.heartbeat));
  socket_.set(opt::maxmsgsize, static_cast<std::int64_t>(kLongestAnswer));
  if (options_.keys) {
    socket_.set(opt::curve_secretkey, options_.keys->own.secret.text());
    socket_.set(opt::curve_publickey, options_.keys->own.key.text());
    socket_.set(opt::curve_serverkey, options_.keys->host.text());
  }
  try {
    socket_.connect(options_.address);
  } catch (const zmq::error_t& error) {
    throw usage_failure("could not connect to " + in_quotes(options_.address) + ": " + error.what(),
                        "expected tcp://HOST:PORT or ipc://PATH");
  }
}

void CallClient::greet() {
  const Deadline deadline = Clock::now() + options_.greeting;
  Envelope hello = make(EnvelopeType::hello, 0);
  hello.minor = wire::kCallProtocolMinor;
  hello.cluster = options_.cluster;
  hello.role = wire::Role::client;
  hello.max_message = kLongestAnswer;
  send(hello, deadline);
  const auto welcome = receive(EnvelopeType::welcome, 0, deadline);
  if (!welcome) no_answer();
  node_ = welcome->node;
  minor_ = welcome->minor;
  max_message_ = welcome->max_message;
}

// ---------------------------------------------------------------------------------------------------------- asking

wire::AdminAnswer CallClient::call(const wire::AdminRequest& asked) {
  wire::AdminRequest request = asked;
  if (!request.id) request.id = std::string(new_message_id().view());
  const auto start = Clock::now();
  const Deadline deadline =
      start + std::chrono::milliseconds(request.timeout_ms.value_or(kMaxTimeoutMs)) + options_.slack;
  send(call_envelope(request, kOnlyAttempt), deadline);
  const auto answer = receive(EnvelopeType::answer, kOnlyAttempt, deadline);
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start).count();
  const auto duration_us = static_cast<std::uint64_t>(took);
  wire::AdminAnswer out =
      answer ? call_answer(request, *answer, node_, duration_us) : late_answer(request, node_, duration_us);
  if (request.strategy && minor_ < wire::kMinorWithStrategies && out.reply && !out.reply->warning) {
    out.reply->warning = "node " + in_quotes(node_) + " is of an older version: it did not heed --strategy or --sticky";
  }
  return out;
}

wire::AdminAnswer CallClient::query(const wire::AdminRequest& request) {
  const std::chrono::milliseconds to_ask_others(request.timeout_ms.value_or(0));
  const Deadline deadline = Clock::now() + options_.query + to_ask_others;
  const Payload body = Payload::of(request);
  Envelope query = make(EnvelopeType::query, kOnlyAttempt);
  query.body = body.bytes();
  send(query, deadline);
  const auto document = receive(EnvelopeType::document, kOnlyAttempt, deadline);
  if (!document) no_answer(to_ask_others);
  return read_answer(document->body);
}

bool CallClient::begin(const wire::AdminRequest& call) {
  wire::AdminRequest request = call;
  if (!request.id) request.id = std::string(new_message_id().view());
  return socket_.send(zmq::buffer(frame_of(call_envelope(request, request.seq))), zmq::send_flags::dontwait)
      .has_value();
}

std::optional<wire::AdminAnswer> CallClient::take(const wire::AdminRequest& call) {
  for (;;) {
    // What has come is taken before the end of the connection is: it may be the answer.
    const auto has_come = [this] { return socket_.recv(frame_, zmq::recv_flags::dontwait).has_value(); };
    if (unread_.empty()) {
      if (!has_come()) {
        if (!watch_.ended()) return std::nullopt;
        if (!has_come()) connection_ended();
      }
      take_frame();
    }
    const Envelope envelope = read_next(std::nullopt);
    if (envelope.type != EnvelopeType::answer) continue;
    wire::AdminAnswer answer = call_answer(call, envelope, node_, 0);
    answer.seq = envelope.attempt;
    return answer;
  }
}

void CallClient::watch(std::vector<zmq_pollitem_t>& items, bool full) {
  items.push_back({socket_.handle(), 0, static_cast<short>(ZMQ_POLLIN | (full ? ZMQ_POLLOUT : 0)), 0});
  items.push_back({watch_.handle(), 0, ZMQ_POLLIN, 0});
}

// --------------------------------------------------------------------------------------------------------- the wire

std::vector<std::uint8_t> CallClient::frame_of(const Envelope& envelope) const {
  cbor::ByteSink frame;
  wire::write_envelope(frame, envelope);
  if (max_message_ != 0 && frame.size() > max_message_) {
    throw Failure(ExitStatus::error, code::kMalformed,
                  "could not send the request to node " + in_quotes(node_) + ": it takes " +
                      std::to_string(frame.size()) + " bytes, and the node accepts at most " +
                      std::to_string(max_message_));
  }
  return frame.take();
}

void CallClient::send(const Envelope& envelope, Deadline deadline) {
  const auto frame = frame_of(envelope);
  do {
    if (!wait(ZMQ_POLLOUT, deadline)) no_answer();
  } while (!socket_.send(zmq::buffer(frame), zmq::send_flags::dontwait));
}

/// The envelope that is waited for, or nothing when the time is over. What else comes is of a later minor version, or
/// belongs to nobody. Ownership: points into `frame_`.
std::optional<Envelope> CallClient::receive(EnvelopeType type, std::uint64_t attempt, Deadline deadline) {
  for (;;) {
    if (unread_.empty() && !receive_frame(deadline)) return std::nullopt;
    const Envelope envelope = read_next(attempt);
    if (envelope.type == type && envelope.attempt == attempt) return envelope;
  }
}

/// The next of `unread_`. Errors: Failure; also where it refuses the connection, or that attempt (nothing: any).
Envelope CallClient::read_next(std::optional<std::uint64_t> attempt) {
  try {
    const Envelope envelope = wire::read_envelope(unread_);
    const bool is_refusal = envelope.type == EnvelopeType::refused;
    if (is_refusal && (!attempt || envelope.attempt == *attempt || envelope.attempt == 0)) refuse(envelope);
    if (envelope.major != wire::kCallProtocolMajor) {
      refuse_answer("it is of version " + std::to_string(envelope.major) +
                    " of the call protocol, this command line speaks version " +
                    std::to_string(wire::kCallProtocolMajor));
    }
    return envelope;
  } catch (const MalformedPayload& malformed) {
    refuse_answer(malformed.what());
  }
}

bool CallClient::receive_frame(Deadline deadline) {
  do {
    if (!wait(ZMQ_POLLIN, deadline)) return false;
  } while (!socket_.recv(frame_, zmq::recv_flags::dontwait));
  take_frame();
  return true;
}

/// What was received is to be read.
void CallClient::take_frame() {
  if (frame_.more()) refuse_answer("a message of the call plane has one frame, found more");
  unread_ = {frame_.data<std::uint8_t>(), frame_.size()};
}

/// Waits until the socket is ready for `events`. False: the time is over. Errors: Failure when the connection has
/// ended.
bool CallClient::wait(short events, Deadline deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    zmq_pollitem_t items[] = {{socket_.handle(), 0, events, 0}, {watch_.handle(), 0, ZMQ_POLLIN, 0}};
    // What has come is taken before the end of the connection is: it may be the answer.
    zmq_poll(items, 2, std::max<long>(left.count(), 0));
    if (items[0].revents != 0) return true;
    if (watch_.ended()) {
      zmq_poll(items, 1, 0);
      if (items[0].revents != 0) return true;
      connection_ended();
    }
    if (left.count() <= 0) return false;
  }
}

void CallClient::connection_ended() const {
  const std::string at = in_quotes(options_.address);
  if (!watch_.about_keys().empty()) {
    throw no_host("could not reach a host at " + at + ": " + watch_.about_keys(), kKeyHint);
  }
  if (node_.empty() && watch_.was_connected()) {
    throw no_host("could not reach a host at " + at + ": who is there ended the connection",
                  options_.keys ? "it is no host, or its key is not that of --host-key"
                                : "it is no host, or asks for keys (--key)");
  }
  if (node_.empty()) {
    throw no_host("could not reach a host at " + at + ": nobody answers there", kReachHint);
  }
  throw no_host("node " + in_quotes(node_) + " at " + in_quotes(options_.address) +
                    " went away before it answered: the connection ended",
                "its log says why; whether what was asked for has been done is not known");
}

void CallClient::refuse(const Envelope& refused) const {
  const std::string what = node_.empty() ? "the host at " + in_quotes(options_.address) + " refused the connection: "
                                         : "node " + in_quotes(node_) + " refused the request: ";
  throw Failure(ExitStatus::error, refused.name.empty() ? wire::admin_code::kProtocol : refused.name,
                what + std::string(refused.text),
                refused.name == "cluster" ? "name the host's cluster with --cluster" : "");
}

void CallClient::no_answer(std::chrono::milliseconds to_ask_others) const {
  if (node_.empty()) {
    throw no_host("could not reach a host at " + in_quotes(options_.address) + ": it did not greet within " +
                      std::to_string(options_.greeting.count()) + " ms",
                  kReachHint);
  }
  throw no_host("node " + in_quotes(node_) + " at " + in_quotes(options_.address) + " did not answer within " +
                    std::to_string((options_.query + to_ask_others).count()) + " ms",
                "its log may say why");
}

}  // namespace busbar::cli
