// The client against nodes that answer, refuse, babble, stay silent or die.
#include "cli/call_client.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "unit/cli/cli_testing.hpp"

namespace busbar::cli {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using wire::Envelope;
using wire::EnvelopeType;
using Octets = std::vector<std::uint8_t>;

Envelope make(EnvelopeType type, std::uint64_t attempt = 0) {
  Envelope envelope;
  envelope.type = type;
  envelope.major = wire::kCallProtocolMajor;
  envelope.attempt = attempt;
  return envelope;
}

Octets written(const Envelope& envelope) {
  cbor::ByteSink sink;
  wire::write_envelope(sink, envelope);
  return sink.take();
}

/// A node that does on a thread of its own what the test says, and then goes.
class FakeNode {
 public:
  explicit FakeNode(std::function<void(FakeNode&)> behave) : router_(context_, zmq::socket_type::router) {
    router_.set(zmq::sockopt::linger, 1'000);
    router_.set(zmq::sockopt::rcvtimeo, 30'000);
    router_.bind("tcp://127.0.0.1:*");
    address_ = router_.get(zmq::sockopt::last_endpoint);
    thread_ = std::thread([this, behave = std::move(behave)] {
      behave(*this);
      router_.close();
    });
  }
  ~FakeNode() {
    done_.set_value();
    thread_.join();
  }
  const std::string& address() const { return address_; }

  // -- on its thread

  /// The next envelope; valid until the next one is received.
  Envelope receive() {
    EXPECT_TRUE(router_.recv(routing_id_)) << "nothing came";
    EXPECT_TRUE(router_.recv(frame_));
    EXPECT_FALSE(frame_.more());
    wire::Bytes frame(frame_.data<std::uint8_t>(), frame_.size());
    return wire::read_envelope(frame);
  }
  void send(const Octets& frame, const Octets& second_frame = {}) {
    zmq::message_t to;
    to.copy(routing_id_);
    router_.send(to, zmq::send_flags::sndmore);
    router_.send(zmq::buffer(frame), second_frame.empty() ? zmq::send_flags::none : zmq::send_flags::sndmore);
    if (!second_frame.empty()) router_.send(zmq::buffer(second_frame), zmq::send_flags::none);
  }
  void send(const Envelope& envelope) { send(written(envelope)); }

  void welcome(std::uint64_t max_message = 1 << 20) {
    const Envelope hello = receive();
    EXPECT_EQ(hello.type, EnvelopeType::hello);
    Envelope welcome = make(EnvelopeType::welcome);
    welcome.node = "n1";
    welcome.cluster = hello.cluster;
    welcome.max_message = max_message;
    send(welcome);
  }
  /// Stays until the test is over.
  void stay() { done_.get_future().wait(); }

 private:
  zmq::context_t context_;
  zmq::socket_t router_;
  std::string address_;
  zmq::message_t routing_id_, frame_;
  std::promise<void> done_;
  std::thread thread_;
};

/// A node that answers the one request that comes with `answer`.
std::function<void(FakeNode&)> answering(const std::function<Octets(const Envelope& request)>& answer) {
  return [answer](FakeNode& node) {
    node.welcome();
    node.send(answer(node.receive()));
    node.stay();
  };
}

wire::AdminRequest request_of(const char* verb) {
  wire::AdminRequest request;
  request.seq = 1;
  request.verb = verb;
  return request;
}
wire::AdminRequest call_of(const char* verb = "call") {
  wire::AdminRequest request = request_of(verb);
  request.service = "greet";
  request.request = wire::Item{0xA0};
  return request;
}

wire::AdminAnswer ask(const FakeNode& node, const wire::AdminRequest& request) {
  return CallClient({.address = node.address(), .cluster = "c"}).ask(request);
}
Failure failure_at(const FakeNode& node, const wire::AdminRequest& request = call_of()) {
  return failure_of([&] { ask(node, request); });
}

/// What `authorized` makes of a response.
wire::AdminAnswer verdict_on(const Response& response) {
  FakeNode node(answering([&](const Envelope& request) {
    EXPECT_TRUE(request.authorize_only);
    const busbar_response view = response.c_view();
    Envelope answer = make(EnvelopeType::answer, request.attempt);
    answer.kind = static_cast<std::uint8_t>(view.kind);
    answer.name = {view.name.data, view.name.size};
    answer.detail = {view.detail.data, view.detail.size};
    answer.timeout_ms = view.timeout_ms;
    return written(answer);
  }));
  return ask(node, call_of("authorized"));
}

/// A TCP port that is open, but where nothing of ours listens.
class Listener {
 public:
  Listener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(fd_, 8), 0);
    EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    address_ = "tcp://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  ~Listener() { close(); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  int accept() const { return ::accept(fd_, nullptr, nullptr); }
  const std::string& address() const { return address_; }

 private:
  int fd_;
  std::string address_;
};

// -------------------------------------------------------------------------------------------------------- the greeting

TEST(CallClient, GreetsAsAClientOfItsCluster) {
  FakeNode node([](FakeNode& self) {
    const Envelope hello = self.receive();
    EXPECT_EQ(hello.type, EnvelopeType::hello);
    EXPECT_EQ(hello.major, wire::kCallProtocolMajor);
    EXPECT_EQ(hello.role, wire::Role::client);
    EXPECT_EQ(hello.cluster, "c");
    EXPECT_GE(hello.max_message, 64u << 20);
    self.send(make(EnvelopeType::welcome));
    self.stay();
  });
  const CallClient client({.address = node.address(), .cluster = "c"});
}

TEST(CallClient, WhereNobodyListensSaysSoAtOnce) {
  Listener listener;
  listener.close();
  // A greeting that takes an hour: whoever waits for its end never gets there.
  const auto connect = [](const std::string& address) {
    return failure_of([&] { CallClient client({.address = address, .greeting = std::chrono::hours(1)}); });
  };
  const TemporaryDirectory directory;
  for (const std::string& address : {listener.address(), "ipc://" + directory.path().string() + "/none"}) {
    const Failure failure = connect(address);
    EXPECT_EQ(failure.status(), ExitStatus::no_host);
    EXPECT_EQ(failure.code(), "no_host");
    EXPECT_THAT(failure.what(), AllOf(HasSubstr(address), HasSubstr("nobody answers there")));
  }
}

TEST(CallClient, WhereSomethingElseListensThereIsNoHost) {
  Listener listener;
  std::thread babbler([&] {
    const int client = listener.accept();
    const std::string_view page = "HTTP/1.1 400 Bad Request\r\n\r\n";
    EXPECT_EQ(::send(client, page.data(), page.size(), MSG_NOSIGNAL), static_cast<ssize_t>(page.size()));
    ::close(client);
  });
  EXPECT_EQ(failure_of([&] {
              CallClient client({.address = listener.address(), .greeting = std::chrono::hours(1)});
            }).status(),
            ExitStatus::no_host);
  babbler.join();
}

TEST(CallClient, AHostThatDoesNotGreetIsNoHost) {
  const Listener silent;
  FakeNode deaf([](FakeNode& self) {
    self.receive();
    self.stay();
  });
  for (const std::string& address : {silent.address(), deaf.address()}) {
    const Failure failure =
        failure_of([&] { CallClient client({.address = address, .greeting = std::chrono::milliseconds(200)}); });
    EXPECT_EQ(failure.status(), ExitStatus::no_host);
    EXPECT_THAT(failure.what(), HasSubstr(address));
  }
}

TEST(CallClient, ShowsWhyItWasRefused) {
  FakeNode node([](FakeNode& self) {
    self.receive();
    Envelope refused = make(EnvelopeType::refused);
    refused.name = "cluster";
    refused.text = "this is cluster \"other\"";
    self.send(refused);
    self.stay();
  });
  const Failure failure = failure_at(node);
  EXPECT_EQ(failure.status(), ExitStatus::error);
  EXPECT_EQ(failure.code(), "cluster");
  EXPECT_THAT(failure.what(), AllOf(HasSubstr("refused the connection"), HasSubstr("this is cluster \"other\"")));
  EXPECT_THAT(failure.hint(), HasSubstr("--cluster"));
}

TEST(CallClient, ShowsTheRefusalOfAnotherMajorToo) {
  FakeNode node([](FakeNode& self) {
    self.receive();
    Envelope refused = make(EnvelopeType::refused);
    refused.major = 9;
    refused.text = "I speak version 9";
    self.send(refused);
    self.stay();
  });
  const Failure failure = failure_at(node);
  EXPECT_EQ(failure.code(), "protocol");
  EXPECT_THAT(failure.what(), HasSubstr("I speak version 9"));
}

TEST(CallClient, AWelcomeOfAnotherMajorIsToldInWords) {
  FakeNode node([](FakeNode& self) {
    self.receive();
    Envelope welcome = make(EnvelopeType::welcome);
    welcome.major = 9;
    self.send(welcome);
    self.stay();
  });
  EXPECT_THAT(failure_at(node).what(), HasSubstr("version 9 of the call protocol"));
}

// -------------------------------------------------------------------------------------------------------------- calls

TEST(CallClient, ACallCarriesAllThatWasGiven) {
  wire::AdminRequest request = call_of();
  request.request = wire::Item{0x01};
  request.assigns = wire::Item{0xA1, 0x61, 0x75, 0x01};
  request.dry_run = "verbose";
  request.timeout_ms = 7;
  request.node = "n2";
  request.id = "id-1";
  request.correlation_id = "id-0";
  FakeNode node(answering([](const Envelope& sent) {
    EXPECT_EQ(sent.type, EnvelopeType::request);
    EXPECT_EQ(sent.service, "greet");
    EXPECT_EQ(sent.message_id, "id-1");
    EXPECT_EQ(sent.correlation_id, "id-0");
    EXPECT_EQ(sent.dry_run, BUSBAR_DRY_RUN_VERBOSE);
    EXPECT_EQ(sent.remaining_us, 7000u);
    EXPECT_EQ(sent.only_node, "n2");
    EXPECT_EQ(Octets(sent.raw_request.begin(), sent.raw_request.end()), Octets{0x01});
    EXPECT_EQ(sent.assigns.size(), 4u);
    EXPECT_GT(sent.invoked_at_us, 0);
    EXPECT_FALSE(sent.authorize_only);
    return written(make(EnvelopeType::answer, sent.attempt));
  }));
  ask(node, request);
}

TEST(CallClient, ACallWithoutATimeLeavesItToTheService) {
  FakeNode node(answering([](const Envelope& sent) {
    EXPECT_EQ(sent.remaining_us, 0u);
    EXPECT_EQ(sent.dry_run, BUSBAR_DRY_RUN_NO);
    EXPECT_EQ(sent.message_id.size(), 22u);
    return written(make(EnvelopeType::answer, sent.attempt));
  }));
  ask(node, call_of());
}

// C-M9
TEST(CallClient, BringsAllOfTheAnswer) {
  const Octets value = {0x18, 0x2A}, assigns = {0xA1, 0x61, 0x61, 0x01}, events = {0x81, 0x01};
  FakeNode node(answering([&](const Envelope& sent) {
    Envelope answer = make(EnvelopeType::answer, sent.attempt);
    answer.kind = BUSBAR_RESPONSE_OK;
    answer.has_version = true;
    answer.version = 3;
    answer.value = value;
    answer.assigns = assigns;
    answer.events = events;
    answer.node = "n2";
    answer.warning = "careful";
    return written(answer);
  }));
  wire::AdminRequest request = call_of();
  request.id = "id-1";
  const wire::AdminReply reply = ask(node, request).reply.value();
  EXPECT_EQ(reply.response.kind, "ok");
  EXPECT_EQ(reply.response.version, 3);
  EXPECT_EQ(reply.response.value, value);
  EXPECT_EQ(reply.assigns, assigns);
  EXPECT_EQ(reply.events, events);
  EXPECT_EQ(reply.node, "n2");
  EXPECT_EQ(reply.warning, "careful");
  EXPECT_EQ(reply.message_id, "id-1");
  EXPECT_EQ(reply.correlation_id, "id-1");
  EXPECT_GT(reply.duration_us, 0u);
}

TEST(CallClient, BringsAnErrorWithItsTexts) {
  FakeNode node(answering([](const Envelope& sent) {
    Envelope answer = make(EnvelopeType::answer, sent.attempt);
    answer.kind = BUSBAR_RESPONSE_ERROR;
    answer.name = "badrpc";
    answer.text = "it died";
    answer.detail = "nodedown";
    return written(answer);
  }));
  const wire::AdminReply reply = ask(node, call_of()).reply.value();
  const Response response = wire::from_wire(reply.response);
  EXPECT_TRUE(response.is_bad_rpc(badrpc::kNodedown));
  EXPECT_EQ(response.text(), "it died");
  EXPECT_EQ(reply.node, "n1");  // who welcomed
}

// C-D10
TEST(CallClient, ValidateAsksForADryRunAndLeavesAVerboseOne) {
  for (const auto& [given, sent_as] :
       {std::pair("no", BUSBAR_DRY_RUN_YES), std::pair("verbose", BUSBAR_DRY_RUN_VERBOSE)}) {
    FakeNode node(answering([expected = sent_as](const Envelope& sent) {
      EXPECT_EQ(sent.dry_run, expected);
      return written(make(EnvelopeType::answer, sent.attempt));
    }));
    wire::AdminRequest request = call_of("validate");
    request.dry_run = given;
    ask(node, request);
  }
}

// C-D11
TEST(CallClient, AuthorizedIsYesNoOrAResponse) {
  EXPECT_EQ(verdict_on(Response::ok()).authorized, true);
  const auto forbidden = verdict_on(Response::forbidden());
  EXPECT_EQ(forbidden.authorized, false);
  EXPECT_EQ(forbidden.reply.value().response.name, "forbidden");
  EXPECT_EQ(verdict_on(Response::error("too_late")).authorized, false);
  const auto nobody = verdict_on(Response::service_unavailable("greet"));
  EXPECT_FALSE(nobody.authorized);
  EXPECT_EQ(nobody.reply.value().response.kind, "service_unavailable");
  EXPECT_FALSE(verdict_on(Response::bad_rpc(badrpc::kNodedown, "")).authorized);
  EXPECT_EQ(verdict_on(Response::service_timeout("greet", "m", 5)).reply.value().response.detail, "timeout");
}

TEST(CallClient, FindsItsAnswerAmongWhatElseComes) {
  FakeNode node([](FakeNode& self) {
    self.welcome();
    const std::uint64_t attempt = self.receive().attempt;
    self.send(make(static_cast<EnvelopeType>(200), attempt));
    Envelope others = make(EnvelopeType::answer, attempt + 1);
    others.kind = BUSBAR_RESPONSE_ERROR;
    Envelope refused = make(EnvelopeType::refused, attempt + 1);
    Envelope own = make(EnvelopeType::answer, attempt);
    own.kind = BUSBAR_RESPONSE_OK;
    cbor::ByteSink bundle;
    for (const Envelope& envelope : {others, refused, own}) wire::write_envelope(bundle, envelope);
    self.send(bundle.take());
    self.stay();
  });
  EXPECT_EQ(ask(node, call_of()).reply.value().response.kind, "ok");
}

TEST(CallClient, ShowsWhyItsRequestWasRefused) {
  FakeNode node(answering([](const Envelope& sent) {
    Envelope refused = make(EnvelopeType::refused, sent.attempt);
    refused.name = "malformed";
    refused.text = "no such thing";
    return written(refused);
  }));
  const Failure failure = failure_at(node);
  EXPECT_EQ(failure.status(), ExitStatus::error);
  EXPECT_EQ(failure.code(), "malformed");
  EXPECT_THAT(failure.what(), AllOf(HasSubstr("\"n1\" refused the request"), HasSubstr("no such thing")));
}

TEST(CallClient, DoesNotSendWhatTheNodeDoesNotTake) {
  FakeNode node([](FakeNode& self) {
    self.welcome(1000);
    self.stay();
  });
  wire::AdminRequest request = call_of();
  request.request = wire::Item(2000, 0x01);
  const Failure failure = failure_at(node, request);
  EXPECT_EQ(failure.status(), ExitStatus::error);
  EXPECT_EQ(failure.code(), "malformed");
  EXPECT_THAT(failure.what(), HasSubstr("at most 1000"));
}

TEST(CallClient, AHostThatGoesMeanwhileIsNoHost) {
  FakeNode node([](FakeNode& self) {
    self.welcome();
    self.receive();
  });
  const Failure failure = failure_at(node);
  EXPECT_EQ(failure.status(), ExitStatus::no_host);
  EXPECT_THAT(failure.what(), AllOf(HasSubstr("\"n1\""), HasSubstr("before it answered")));
  EXPECT_THAT(failure.hint(), HasSubstr("not known"));
}

TEST(CallClient, AnAnswerThatCameBeforeTheHostWentCounts) {
  FakeNode node([](FakeNode& self) {
    self.welcome();
    self.send(make(EnvelopeType::answer, self.receive().attempt));
  });
  EXPECT_TRUE(ask(node, call_of()).reply);
}

TEST(CallClient, WhatElseCameBeforeTheHostWentDoesNot) {
  FakeNode node([](FakeNode& self) {
    self.welcome();
    self.receive();
    for (std::uint64_t attempt = 1000; attempt < 1100; ++attempt) self.send(make(EnvelopeType::answer, attempt));
  });
  EXPECT_EQ(failure_at(node).status(), ExitStatus::no_host);  // at once, and not after the longest of calls
}

// C-D5
TEST(CallClient, ACallThatIsNotAnsweredInItsTimeTimesOut) {
  const auto silent = [](FakeNode& self) {
    self.welcome();
    self.receive();
    self.stay();
  };
  const auto ask_in_vain = [&](const char* verb) {
    FakeNode node(silent);
    wire::AdminRequest request = call_of(verb);
    request.timeout_ms = 10;
    return CallClient({.address = node.address(), .slack = std::chrono::milliseconds(10)}).ask(request).reply.value();
  };
  const wire::AdminReply reply = ask_in_vain("call");
  EXPECT_EQ(reply.response.kind, "service_timeout");
  EXPECT_EQ(reply.response.timeout_ms, 10u);
  EXPECT_EQ(ask_in_vain("authorized").response.detail, "timeout");
}

// ------------------------------------------------------------------------------------------------------------ queries

TEST(CallClient, AllElseIsAQueryAsTheAdminSocketTakesIt) {
  FakeNode node(answering([](const Envelope& sent) {
    EXPECT_EQ(sent.type, EnvelopeType::query);
    const auto request = cbor::decode<wire::AdminRequest>(sent.body);
    EXPECT_EQ(request.verb, "describe");
    EXPECT_EQ(request.service, "greet");
    EXPECT_EQ(request.protocol, wire::kAdminProtocol);
    wire::AdminAnswer answer;
    answer.document = cbor::from_json(json{{"name", "greet"}});
    const Payload body = Payload::of(answer);
    Envelope document = make(EnvelopeType::document, sent.attempt);
    document.body = body.bytes();
    return written(document);
  }));
  wire::AdminRequest request = request_of("describe");
  request.service = "greet";
  EXPECT_EQ(cbor::to_json(ask(node, request).document.value()), json({{"name", "greet"}}));
}

TEST(CallClient, AnErrorThatAQueryEndsWithIsAFailure) {
  for (const auto& [code, status] :
       {std::pair("service_unavailable", ExitStatus::service_unavailable), std::pair("stopping", ExitStatus::no_host),
        std::pair("overloaded", ExitStatus::error)}) {
    FakeNode node(answering([name = std::string(code)](const Envelope& sent) {
      wire::AdminAnswer answer;
      answer.error = wire::AdminError{name, "because"};
      const Payload body = Payload::of(answer);
      Envelope document = make(EnvelopeType::document, sent.attempt);
      document.body = body.bytes();
      return written(document);
    }));
    const Failure failure = failure_at(node, request_of("nodes"));
    EXPECT_EQ(failure.status(), status);
    EXPECT_EQ(failure.code(), code);
    EXPECT_THAT(failure.what(), HasSubstr("because"));
  }
}

TEST(CallClient, AQueryThatIsNotAnsweredIsNoHost) {
  FakeNode node([](FakeNode& self) {
    self.welcome();
    self.receive();
    self.stay();
  });
  const Failure failure = failure_of([&] {
    CallClient({.address = node.address(), .query = std::chrono::milliseconds(20)}).ask(request_of("nodes"));
  });
  EXPECT_EQ(failure.status(), ExitStatus::no_host);
  EXPECT_THAT(failure.what(), HasSubstr("did not answer within 20 ms"));
}

TEST(CallClient, AQueryForWhichOthersAreAskedIsWaitedForForAsLongAsThatMayTake) {
  FakeNode node([](FakeNode& self) {
    self.welcome();
    self.receive();
    self.stay();
  });
  wire::AdminRequest request = request_of("views");
  request.timeout_ms = 30;
  const Failure failure =
      failure_of([&] { CallClient({.address = node.address(), .query = std::chrono::milliseconds(20)}).ask(request); });
  EXPECT_THAT(failure.what(), HasSubstr("did not answer within 50 ms"));
}

// ----------------------------------------------------------------------------------------------------------- bad input

TEST(CallClient, WhatIsNoAnswerIsAFailureAndNoCrash) {
  for (const Octets& bytes : std::vector<Octets>{{0xFF}, {0xA0}, {'H', 'i'}, {0xA2, 0x00, 0x05, 0x01}}) {
    FakeNode node(answering([&](const Envelope&) { return bytes; }));
    const Failure failure = failure_at(node);
    EXPECT_EQ(failure.status(), ExitStatus::error);
    EXPECT_THAT(failure.what(), HasSubstr("could not read the host's answer"));
  }
}

TEST(CallClient, ADocumentThatIsNoneIsAFailure) {
  for (const Octets& body : std::vector<Octets>{{}, {0xFF}, {0xA0}, {0x01, 0x01}}) {
    FakeNode node(answering([&](const Envelope& sent) {
      Envelope document = make(EnvelopeType::document, sent.attempt);
      document.body = body;
      return written(document);
    }));
    EXPECT_THAT(failure_at(node, request_of("nodes")).what(), HasSubstr("could not read the host's answer"));
  }
}

TEST(CallClient, AMessageOfSeveralFramesIsAFailure) {
  FakeNode node([](FakeNode& self) {
    self.welcome();
    const Octets answer = written(make(EnvelopeType::answer, self.receive().attempt));
    self.send(answer, answer);
    self.stay();
  });
  EXPECT_THAT(failure_at(node).what(), HasSubstr("has one frame"));
}

}  // namespace
}  // namespace busbar::cli
