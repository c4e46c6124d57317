#include "system/support/test_keys.hpp"

#include <iterator>
#include <stdexcept>

namespace busbar::system_tests {

const keys::WrittenPair& TestKeys::make(const std::string& name, keys::Role role, const std::string& label) {
  const keys::WrittenPair& pair = make_unlisted(name, role, label);
  listed_.list(pair.public_file);
  return pair;
}

const keys::WrittenPair& TestKeys::make_unlisted(const std::string& name, keys::Role role, const std::string& label) {
  const std::string pair = label.empty() ? name : name + "." + label;
  return pairs_.emplace(pair, made_.make(name, role, pair)).first->second;
}

void TestKeys::take_away(const std::string& pair) const {
  std::filesystem::remove(listed_.path() / of(pair).public_file.filename());
}

void TestKeys::let_in(const TestHost& host, const std::string& name, keys::Role role) {
  make(name, role);
  const auto files = std::filesystem::directory_iterator(listed_.path());
  const auto count = std::distance(begin(files), end(files));
  EXPECT_TRUE(eventually([&] { return host.ask({"status"}).json["cluster"]["security"]["authorized"] == count; }));
}

std::vector<std::string> TestKeys::flags(const std::string& node, const std::string& pair) const {
  return {"--security-mode",
          "curve",
          "--security-key",
          of(pair.empty() ? node : pair).private_file.string(),
          "--security-authorized",
          listed_.path().string(),
          "--node",
          node};
}

std::vector<std::string> TestKeys::client_flags(const std::string& pair, const std::string& host) const {
  return {"--key", of(pair).private_file.string(), "--host-key", of(host).public_file.string()};
}

Visitor::Visitor(const std::string& address, const keys::WrittenPair* pair, const keys::WrittenPair* host) {
  namespace opt = zmq::sockopt;
  socket_.set(opt::linger, 0);
  socket_.set(opt::sndtimeo, static_cast<int>(std::chrono::milliseconds(kLimit).count()));
  if (pair != nullptr) {
    const keys::OwnKey own = keys::read_private_file(pair->private_file);
    socket_.set(opt::curve_secretkey, own.secret.text());
    socket_.set(opt::curve_publickey, own.key.text());
    socket_.set(opt::curve_serverkey, host->key.text());
  }
  socket_.connect(address);
}

void Visitor::say(std::span<const std::uint8_t> bytes) {
  const auto sent = socket_.send(zmq::buffer(bytes.data(), bytes.size()), zmq::send_flags::none);
  if (!sent) throw std::runtime_error("nothing can be said: the host hung up and lets nobody in, or does not read");
}

void Visitor::say(const wire::Envelope& envelope) {
  cbor::ByteSink sink;
  wire::write_envelope(sink, envelope);
  say(sink.bytes());
}

void Visitor::say_if_connected(std::span<const std::uint8_t> bytes) {
  socket_.send(zmq::buffer(bytes.data(), bytes.size()), zmq::send_flags::dontwait);
}

void Visitor::say_if_connected(const wire::Envelope& envelope) {
  cbor::ByteSink sink;
  wire::write_envelope(sink, envelope);
  say_if_connected(sink.bytes());
}

std::optional<std::vector<std::uint8_t>> Visitor::heard(std::chrono::milliseconds within) {
  socket_.set(zmq::sockopt::rcvtimeo, static_cast<int>(within.count()));
  zmq::message_t message;
  if (!socket_.recv(message)) return std::nullopt;
  return std::vector<std::uint8_t>(message.data<std::uint8_t>(), message.data<std::uint8_t>() + message.size());
}

std::optional<wire::Envelope> Visitor::answered() {
  if (rest_.empty()) {
    auto bytes = heard();
    if (!bytes) return std::nullopt;
    last_ = std::move(*bytes);
    rest_ = last_;
  }
  return wire::read_envelope(rest_);
}

std::optional<registry::wire::Message> Visitor::told() {
  const auto bytes = heard();
  if (!bytes) return std::nullopt;
  return registry::wire::decode(*bytes);
}

wire::Envelope hello_of(std::string_view name, wire::Role role) {
  wire::Envelope hello;
  hello.type = wire::EnvelopeType::hello;
  hello.major = wire::kCallProtocolMajor;
  hello.minor = wire::kCallProtocolMinor;
  hello.cluster = "busbar";
  hello.node = name;
  hello.incarnation = 7;
  hello.role = role;
  hello.max_message = 1'000'000;
  return hello;
}

registry::NodeRecord record_of(const std::string& name) {
  registry::NodeRecord record;
  record.name = name;
  record.incarnation = 7;
  record.version = 1;
  record.call_address = "tcp://127.0.0.1:1";
  record.registry_address = "tcp://127.0.0.1:2";
  return record;
}

}  // namespace busbar::system_tests
