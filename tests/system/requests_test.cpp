// What can be asked of a host, and what it says to what cannot.
#include <signal.h>

#include "system/support/raw_client.hpp"
#include "system/support/test_host.hpp"

namespace busbar::system_tests {
namespace {

using testing::HasSubstr;
using Bytes = std::vector<std::uint8_t>;

class Requests : public SystemTest {
 protected:
  void SetUp() override {
    for (const char* name : {"behaviours", "greeter", "echo"}) host.add(name);
    host.start();
  }
  std::filesystem::path file_with(std::string_view content) const {
    write_file(host.root() / "request.json", content);
    return host.root() / "request.json";
  }
  std::string at(const std::filesystem::path& path) const { return "@" + path.string(); }
  void expect_host_serves() { EXPECT_EQ(host.call("echo", 7).json["value"], 7); }
};

// -- JSON

TEST_F(Requests, JsonThatDoesNotParseIsAUsageErrorWithLineAndColumn) {
  const Ended people = host.busbar({"call", "echo", "{\"a\": 1,\n \"b\": x}"});
  EXPECT_EQ(people.status, 2);
  EXPECT_THAT(people.err, HasSubstr("line 2, column 7"));

  const Answer answer = host.ask({"call", "echo", "{\"a\": 1,\n \"b\": x}"});
  EXPECT_EQ(answer.status, 2);
  EXPECT_EQ(answer.json["error"]["code"], "json");
  EXPECT_EQ(answer.json["error"]["line"], 2);
  EXPECT_EQ(answer.json["error"]["column"], 7);
}

TEST_F(Requests, TextThatIsNotUtf8IsAUsageError) {
  EXPECT_EQ(host.ask({"call", "echo", "\"caf\xe9\""}).status, 2);
  EXPECT_EQ(host.ask({"call", "echo", at(file_with("\"\xc0\xaf\""))}).status, 2);
  EXPECT_EQ(host.ask({"call", "echo", "1", "--assign", "k\xff=1"}).status, 2);
  expect_host_serves();
}

TEST_F(Requests, NestingOfAMillionBracketsIsAUsageError) {
  for (const char* bracket : {"[", "{\"a\":"}) {
    std::string nested;
    for (int i = 0; i < 1'000'000; ++i) nested += bracket;
    const Answer answer = host.ask({"call", "echo", "-"}, file_with(nested));
    EXPECT_EQ(answer.status, 2) << bracket;
    EXPECT_THAT(answer.json["error"]["text"].get<std::string>(), HasSubstr("64"));
  }
  expect_host_serves();
}

TEST_F(Requests, DuplicateKeysAndTooLargeNumbersAreUsageErrors) {
  for (const char* text :
       {R"({"a":1,"a":2})", "18446744073709551616", "1e999", "NaN", "[1,]", "", "{} {}", "\"\\ud800\""}) {
    EXPECT_EQ(host.ask({"call", "echo", "-"}, file_with(text)).status, 2) << text;
  }
}

TEST_F(Requests, IntegersAreExactOverTheWhole64BitRange) {
  for (const char* text : {"18446744073709551615", "-9223372036854775808", "9007199254740993"}) {
    EXPECT_THAT(host.ask({"call", "echo", text}).out, HasSubstr(std::string("\"value\":") + text));
  }
}

TEST_F(Requests, TheRequestMayComeFromAFileOrFromStandardInput) {
  const auto file = file_with(R"({"name": "Grace"})");
  EXPECT_EQ(host.ask({"call", "greet", at(file)}).json["value"]["text"], "Hello, Grace!");
  EXPECT_EQ(host.ask({"call", "greet", "-"}, file).json["value"]["text"], "Hello, Grace!");
  const Answer missing = host.ask({"call", "greet", "@/nowhere/request.json"});
  EXPECT_EQ(missing.status, 2);
  EXPECT_THAT(missing.json["error"]["text"].get<std::string>(), HasSubstr("/nowhere/request.json"));
}

TEST_F(Requests, NothingMeansAnEmptyObject) { EXPECT_EQ(host.ask({"call", "echo"}).json["value"], Json::object()); }

TEST_F(Requests, BytesTravelAsBase64) {
  const Json bytes = {{"$bytes", "AAEC/w=="}};
  EXPECT_EQ(host.call("echo", bytes).json["value"], bytes);
}

TEST_F(Requests, LargePayloadsGoThereAndBack) {
  const std::string text(20'000'000, 'x');
  const Answer answer = host.ask({"call", "echo", "-", "--timeout", "60000"}, file_with("\"" + text + "\""));
  ASSERT_EQ(answer.status, 0);
  EXPECT_EQ(answer.json["value"].get_ref<const std::string&>(), text);
  EXPECT_EQ(
      host.call("big", {{"ms", 20'000}}, {"--timeout", "60000"}).json["value"].get_ref<const std::string&>().size(),
      20'000U * 1024);
}

// -- types

TEST_F(Requests, EachMissingOrWrongFieldIsNamedByItsPath) {
  const Answer answer = host.call("typed", {{"owner", {{"name", 7}}}, {"numbers", {1, "two", 3.5}}});
  EXPECT_EQ(answer.status, 5);
  EXPECT_EQ(answer.kind(), "validation_error");
  std::map<std::string, Json> found;
  for (const Json& fault : answer.json["details"]) found[fault["path"].get<std::string>()] = fault;
  EXPECT_EQ(found.size(), 4U) << answer.json["details"];
  EXPECT_EQ(found["owner.name"]["expected"], "text");
  EXPECT_EQ(found["owner.name"]["found"], "integer 7");
  EXPECT_EQ(found["owner.age"]["found"], "nothing");
  EXPECT_TRUE(found.contains("numbers[1]")) << answer.json["details"];
  EXPECT_TRUE(found.contains("numbers[2]")) << answer.json["details"];
}

TEST_F(Requests, UnknownFieldsArePassedOverAndOptionalOnesMayBeAbsent) {
  const Json request = {{"owner", {{"name", "Ada"}, {"age", 36}}}, {"numbers", Json::array()}, {"colour", "red"}};
  EXPECT_EQ(host.call("typed", request).json["value"],
            Json({{"owner", {{"name", "Ada"}, {"age", 36}}}, {"numbers", Json::array()}}));
}

TEST_F(Requests, ANumberThatDoesNotFitItsTypeIsAValidationError) {
  const Answer answer = host.call("typed", {{"owner", {{"name", "Ada"}, {"age", 256}}}, {"numbers", Json::array()}});
  EXPECT_EQ(answer.status, 5);
  EXPECT_EQ(answer.json["details"][0]["path"], "owner.age");
}

TEST_F(Requests, ARequestThatIsNoObjectIsAValidationError) { EXPECT_EQ(host.call("greet", 7).status, 5); }

// -- exit statuses

TEST_F(Requests, AnUnknownServiceIsUnavailable) {  // C-D2
  const Answer answer = host.call("nobody_has_this");
  EXPECT_EQ(answer.status, 3);
  EXPECT_EQ(answer.kind(), "service_unavailable");
  EXPECT_EQ(answer.json["service"], "nobody_has_this");
  EXPECT_TRUE(eventually([&] { return host.log().find("nobody_has_this") != std::string::npos; }));
}

TEST_F(Requests, ABadServiceNameIsAUsageError) {
  for (const std::string& name :
       {std::string(10'000, 'a'), std::string("Greet"), std::string("a b"), std::string("é")}) {
    EXPECT_EQ(host.ask({"call", name}).status, 2) << name.substr(0, 20);
  }
  expect_host_serves();
}

TEST_F(Requests, ForbiddenAndNotAuthorizedHaveAStatusOfTheirOwn) {  // C-R3
  EXPECT_EQ(host.call("forbidden_to_all").status, 6);
  EXPECT_EQ(host.call("forbidden_to_all").json["code"], "forbidden");
  EXPECT_EQ(host.call("refused_by_rule").json["code"], "closed_on_sundays");
  EXPECT_EQ(host.call("refused_by_rule").status, 1);
  EXPECT_EQ(host.ask({"authorized", "forbidden_to_all"}).status, 6);
  EXPECT_EQ(host.ask({"authorized", "greet"}).status, 0);
}

TEST_F(Requests, AuthorizeSeesTheAssigns) {  // C-R3
  EXPECT_EQ(host.call("needs_assign").status, 6);
  EXPECT_EQ(host.call("needs_assign", Json::object(), {"--assign", "user=\"ada\""}).status, 0);
}

TEST_F(Requests, WithoutAHostTheStatusIsSeven) {
  host.stop();
  const Answer answer = host.call("greet");
  EXPECT_EQ(answer.status, 7);
  EXPECT_EQ(answer.json["error"]["code"], "no_host");
  EXPECT_THAT(host.busbar({"status"}).err, HasSubstr("hint"));
}

TEST_F(Requests, BadCommandLinesAreUsageErrors) {
  const std::vector<std::vector<std::string>> lines = {{},
                                                       {"cull"},
                                                       {"call"},
                                                       {"call", "greet", "{}", "--timeout", "0"},
                                                       {"services", "--visibility", "some"},
                                                       {"call", "greet", "{}", "--timeout", "86400001"},
                                                       {"--wrong"},
                                                       {"call", "greet", "{}", "--dry-run=perhaps"},
                                                       {"call", "greet", "{}", "--assign", "novalue"},
                                                       {"--run-dir", "", "status"}};
  for (const auto& line : lines) EXPECT_EQ(host.busbar(line).status, 2) << testing::PrintToString(line);
}

// -- what no client says: raw bytes on the socket

Bytes cbor_head(std::uint8_t major, std::uint64_t size) {
  Bytes out = {static_cast<std::uint8_t>(major << 5 | 27)};
  for (int i = 7; i >= 0; --i) out.push_back(static_cast<std::uint8_t>(size >> (8 * i)));
  return out;
}

// The request for "status", with what CBOR `item` is in the place of its verb.
Bytes request_with_verb(const Bytes& item) {
  Bytes out = {0xA3, 0x68, 'p', 'r', 'o',  't',  'o', 'c', 'o', 'l', 0x01,
               0x63, 's',  'e', 'q', 0x05, 0x64, 'v', 'e', 'r', 'b'};
  for (const std::uint8_t byte : item) out.push_back(byte);
  return out;
}

class RawFrames : public Requests {
 protected:
  // What the host answers to a frame: an error that is told, and the connection goes on or ends.
  std::string code_for(const Bytes& body) {
    const RawClient client(host.socket());
    client.send_frame(body);
    const auto answer = client.receive();
    if (!answer) return "closed";
    return answer->error ? answer->error->code : "no error";
  }
};

TEST_F(RawFrames, AGoodOneIsAnswered) {  // so that the bad ones fail for what is bad in them
  EXPECT_EQ(code_for(request_with_verb({0x66, 's', 't', 'a', 't', 'u', 's'})), "no error");
}

TEST_F(RawFrames, ALengthOf4GiBIsRefusedAtOnceAndNothingIsAllocatedForIt) {
  const long before = host.most_memory_kib();
  const RawClient client(host.socket());
  client.send(Bytes{0xFF, 0xFF, 0xFF, 0xFF, 0xA0});
  const auto answer = client.receive();
  ASSERT_TRUE(answer && answer->error);
  EXPECT_EQ(answer->error->code, "malformed");
  EXPECT_THAT(answer->error->text, HasSubstr("4294967295"));
  EXPECT_FALSE(client.receive());
  EXPECT_LT(host.most_memory_kib() - before, 4 * 1024);
  expect_host_serves();
}

TEST_F(RawFrames, LengthsAreNotBelieved) {
  const long before = host.most_memory_kib();
  for (const std::uint8_t major : {2, 3, 4, 5}) {  // bytes, text, array, map
    for (const std::uint64_t size : {std::uint64_t{1} << 31, std::uint64_t{1} << 60, ~std::uint64_t{0}}) {
      EXPECT_EQ(code_for(request_with_verb(cbor_head(major, size))), "malformed") << int{major} << " " << size;
      EXPECT_EQ(code_for(cbor_head(major, size)), "malformed") << int{major} << " " << size;
    }
  }
  {  // a frame that is announced with all that is allowed, and of which little comes
    const RawClient client(host.socket());
    client.send(Bytes{0x00, 0x00, 0x00, 0x04, 0xA0});
    expect_host_serves();
  }
  EXPECT_LT(host.most_memory_kib() - before, 4 * 1024);
}

TEST_F(RawFrames, AMillionNestedArraysAreMalformed) {
  EXPECT_EQ(code_for(request_with_verb(Bytes(1'000'000, 0x81))), "malformed");
  EXPECT_EQ(code_for(Bytes(1'000'000, 0x9F)), "malformed");
  expect_host_serves();
}

TEST_F(RawFrames, GarbageIsMalformed) {
  EXPECT_EQ(code_for({}), "malformed");
  EXPECT_EQ(code_for({0xFF}), "malformed");
  EXPECT_EQ(code_for({0xA0}), "malformed");
  EXPECT_EQ(code_for({0xDE, 0xAD, 0xBE, 0xEF}), "malformed");
  EXPECT_EQ(code_for(request_with_verb({0x62, 0xC0, 0xAF})), "malformed");  // no UTF-8
  Bytes trailing = request_with_verb({0x66, 's', 't', 'a', 't', 'u', 's'});
  trailing.push_back(0x00);
  EXPECT_EQ(code_for(trailing), "malformed");
  expect_host_serves();
}

TEST_F(RawFrames, AServiceNameOf10000BytesIsMalformed) {
  wire::AdminRequest request;
  request.verb = "call";
  request.service = std::string(10'000, 'a');
  const RawClient client(host.socket());
  client.send(wire::frame_of(request));
  const auto answer = client.receive();
  ASSERT_TRUE(answer && answer->error);
  EXPECT_EQ(answer->error->code, "malformed");
  EXPECT_LT(answer->error->text.size(), 1'000U);
}

TEST_F(RawFrames, AClientOfAnotherProtocolIsToldBothVersions) {
  wire::AdminRequest request;
  request.protocol = 99;
  request.verb = "status";
  const RawClient client(host.socket());
  client.send(wire::frame_of(request));
  const auto answer = client.receive();
  ASSERT_TRUE(answer && answer->error);
  EXPECT_EQ(answer->error->code, "protocol");
  EXPECT_THAT(answer->error->text, HasSubstr("99"));
}

TEST_F(RawFrames, ClientsThatGoInTheMiddleOfAFrameDoNoHarm) {
  for (int i = 0; i < 50; ++i) {
    const RawClient client(host.socket());
    client.send(Bytes{0x40, 0x00, 0x00});
  }
  for (int i = 0; i < 50; ++i) {
    const RawClient client(host.socket());
    client.send(Bytes{0x40, 0x00, 0x00, 0x00, 0xA3, 0x68});
  }
  expect_host_serves();
}

TEST_F(RawFrames, RequestsMayFollowEachOtherAndEachAnswerRepeatsItsNumber) {
  const RawClient client(host.socket());
  wire::AdminRequest slow;
  slow.seq = 1;
  slow.verb = "call";
  slow.service = "waits_for";
  slow.request = cbor::from_json(Json{{"key", "pipeline"}});
  wire::AdminRequest quick = slow;
  quick.seq = 2;
  quick.service = "opens";
  client.send(wire::frame_of(slow));
  client.send(wire::frame_of(quick));
  std::vector<std::uint64_t> numbers;
  for (int i = 0; i < 2; ++i) {
    const auto answer = client.receive();
    ASSERT_TRUE(answer && answer->reply);
    numbers.push_back(answer->seq);
  }
  EXPECT_THAT(numbers, testing::UnorderedElementsAre(1U, 2U));
}

// A host that is stopped in the middle (as by a debugger) makes the command line wait, not fail.
TEST_F(Requests, AHostThatAnswersLateIsWaitedFor) {
  host.process().freeze();
  Process caller = host.start_busbar({"--json", "call", "greet", R"({"name":"Ada"})"});
  EXPECT_FALSE(caller.wait(std::chrono::milliseconds(100)));
  host.process().signal(SIGCONT);
  const auto ended = caller.wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, 0) << ended->out << ended->err;
}

}  // namespace
}  // namespace busbar::system_tests
