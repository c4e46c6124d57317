// One ROUTER for all peers of a crowd: for one plane, and one direction.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <zmq.hpp>

namespace bench {

inline int port_of(const std::string& address) { return std::stoi(address.substr(address.rfind(':') + 1)); }

// Where peers are dialled, it is bound to an address for each, and the port to which a message has come tells for whom
// it is. Where they dial, each has a connection of its own, named after it.
class CrowdSocket {
 public:
  explicit CrowdSocket(zmq::context_t& context) : socket_(context, zmq::socket_type::router) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::sndhwm, 0);
    socket_.set(zmq::sockopt::rcvhwm, 0);
  }

  std::string bind() {
    socket_.bind("tcp://127.0.0.1:*");
    return socket_.get(zmq::sockopt::last_endpoint);
  }
  void connect(const std::string& address, const std::string& peer) {
    socket_.set(zmq::sockopt::connect_routing_id, peer);
    socket_.connect(address);
  }

  template <class Bytes>
  void send(const std::string& to, const Bytes& bytes) {
    socket_.send(zmq::buffer(to), zmq::send_flags::sndmore);
    socket_.send(zmq::buffer(bytes.data(), bytes.size()), zmq::send_flags::none);
  }
  // False: nothing has come.
  bool receive() {
    zmq::message_t from;
    if (!socket_.recv(from, zmq::recv_flags::dontwait)) return false;
    from_ = from.to_string();
    return socket_.recv(body_).has_value();
  }

  // Of what was received last.
  const std::string& from() const { return from_; }
  const zmq::message_t& body() const { return body_; }
  int port() {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    const int fd = zmq_msg_get(body_.handle(), ZMQ_SRCFD);
    return ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 ? ntohs(address.sin_port) : 0;
  }

  zmq::pollitem_t to_poll() { return {socket_.handle(), 0, ZMQ_POLLIN, 0}; }

 private:
  zmq::socket_t socket_;
  std::string from_;
  zmq::message_t body_;
};

}  // namespace bench
