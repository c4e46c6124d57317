#include "http/http_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/eventually.hpp"
#include "support/http_client.hpp"

namespace busbar::host {
namespace {

using busbar::testing::eventually;
using busbar::testing::http_get;
using busbar::testing::HttpClient;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

class HttpServerTest : public ::testing::Test {
 protected:
  HttpServerTest() {
    options.listen = "127.0.0.1:0";
    pages["/page"] = [] { return HttpAnswer{200, "what is asked for\n", "text/x-test"}; };
    pages["/large"] = [this] { return HttpAnswer{200, std::string(large, 'x')}; };
    pages["/pieces"] = [] {
      const auto next = std::make_shared<int>(0);
      return HttpAnswer{200, "0\n", "text/x-test",
                        [next] { return ++*next < 100 ? std::to_string(*next) + "\n" : std::string(); }};
    };
    pages["/endless"] = [] { return HttpAnswer{200, "and ", "text/x-test", [] { return std::string("on and "); }}; };
    pages["/breaks"] = [] {
      return HttpAnswer{200, "half", "text/x-test",
                        []() -> std::string { throw std::runtime_error("there is no ink"); }};
    };
    pages["/throws"] = []() -> HttpAnswer { throw std::runtime_error("there is no ink"); };
  }
  void start() {
    server = std::make_unique<HttpServer>(options, pages, Logger());
    server->start();
  }
  HttpClient::Reply get(std::string_view path) const { return http_get(server->address(), path); }
  HttpClient::Reply answer_to(std::string_view bytes) const {
    HttpClient client(server->address());
    client.say(bytes);
    const auto reply = client.heard();
    EXPECT_TRUE(client.ends()) << "what follows it means nothing any more";
    return reply;
  }

  HttpOptions options;
  HttpPages pages;
  std::size_t large = 1'000'000;
  std::unique_ptr<HttpServer> server;
};

TEST_F(HttpServerTest, AnswersWhatIsThere) {
  start();
  EXPECT_THAT(server->address(), ::testing::MatchesRegex("127.0.0.1:[0-9]+"));
  const auto page = get("/page?with=a&query");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.body, "what is asked for\n");
  EXPECT_THAT(page.headers, HasSubstr("Content-Type: text/x-test\r\n"));
  const auto other = get("/pages");
  EXPECT_EQ(other.status, 404);
  EXPECT_EQ(other.body,
            "there is no \"/pages\" here; there are:\n/breaks\n/endless\n/large\n/page\n/pieces\n/throws\n");
  const auto failed = get("/throws");
  EXPECT_EQ(failed.status, 500);
  EXPECT_EQ(failed.body, "could not make this page: there is no ink\n");
}

TEST_F(HttpServerTest, KeepsAConnectionForTheNextRequest) {
  start();
  HttpClient client(server->address());
  for (int i = 0; i < 3; ++i) {
    client.ask("/page");
    EXPECT_EQ(client.heard().body, "what is asked for\n");
  }
  client.say("GET /page HTTP/1.1\r\n\r\nGET /large HTTP/1.1\r\n\r\n");  // the second before the first is answered
  EXPECT_EQ(client.heard().body.size(), 18u);
  EXPECT_EQ(client.heard().body.size(), large);
  client.say("GET /page HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.heard().status, 200);
  EXPECT_TRUE(client.ends());
}

TEST_F(HttpServerTest, SaysToHeadWhatGetWouldSay) {
  start();
  HttpClient client(server->address());
  client.ask("/large", "HEAD");
  const auto head = client.heard(false);
  EXPECT_EQ(head.status, 200);
  EXPECT_THAT(head.headers, HasSubstr("Content-Length: 1000000\r\n"));
  client.ask("/page");
  EXPECT_EQ(client.heard().body, "what is asked for\n") << "no body came before this";
}

TEST_F(HttpServerTest, SendsALongAnswerPieceByPiece) {
  start();
  std::string whole;
  for (int i = 0; i < 100; ++i) whole += std::to_string(i) + "\n";
  HttpClient client(server->address());
  for (int i = 0; i < 2; ++i) {
    client.ask("/pieces");
    const auto reply = client.heard();
    EXPECT_EQ(reply.status, 200);
    EXPECT_THAT(reply.headers, HasSubstr("Transfer-Encoding: chunked\r\n"));
    EXPECT_EQ(reply.body, whole);
  }
  client.ask("/pieces", "HEAD");
  EXPECT_EQ(client.heard(false).status, 200);
  client.ask("/page");
  EXPECT_EQ(client.heard().body, "what is asked for\n") << "no body came before this";

  const auto old = answer_to("GET /pieces HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(old.headers, Not(HasSubstr("chunked")));
  EXPECT_EQ(old.body, whole);
}

TEST_F(HttpServerTest, ServesOthersBetweenTwoPieces) {
  start();
  HttpClient endless(server->address());
  endless.ask("/endless");
  ASSERT_TRUE(endless.has_answer());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(get("/page").status, 200);
  EXPECT_FALSE(endless.ends(milliseconds(10)));
}

// A scrape of many services must not be felt by calls.
TEST_F(HttpServerTest, LetsOthersOfTheProcessGoFirst) {
  if (::sched_getscheduler(0) != SCHED_OTHER) GTEST_SKIP() << "this process has another policy than the usual one";
  pages["/policy"] = [] { return HttpAnswer{200, std::to_string(::sched_getscheduler(0))}; };
  start();
  EXPECT_EQ(get("/policy").body, std::to_string(SCHED_BATCH));
}

TEST_F(HttpServerTest, AnswersInPiecesAreBoundedTogether) {
  options.max_in_pieces = 2;
  start();
  std::vector<std::unique_ptr<HttpClient>> lazy;
  for (int i = 0; i < 2; ++i) {
    lazy.push_back(std::make_unique<HttpClient>(server->address()));
    lazy.back()->ask("/endless");
    ASSERT_TRUE(lazy.back()->has_answer());
  }
  const auto reply = get("/pieces");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.body, "2 clients are reading such long answers; try again later\n");
  EXPECT_EQ(get("/page").status, 200);
  lazy.clear();
  EXPECT_TRUE(eventually([&] { return get("/pieces").status == 200; }));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(get("/pieces").status, 200) << "each that is over makes room";
}

TEST_F(HttpServerTest, WhatHasBeenSentOfAnAnswerInPiecesIsCountedNoMore) {
  options.max_unsent = 1;
  start();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(get("/pieces").status, 200);
}

TEST_F(HttpServerTest, HangsUpWhereTheRestOfAnAnswerCannotBeMade) {
  start();
  HttpClient client(server->address());
  client.ask("/breaks");
  EXPECT_EQ(client.heard().status, 0) << "the half must not look like the whole";
  EXPECT_TRUE(client.ends());
  HttpClient old(server->address());
  old.say("GET /breaks HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(old.is_reset()) << "for whom the end of the connection is the end of the answer";
  EXPECT_EQ(get("/page").status, 200);
}

TEST_F(HttpServerTest, HangsUpOnWhoHearsAnAnswerInPiecesForTooLong) {
  options.answer_time = milliseconds(100);
  start();
  HttpClient reads(server->address());
  reads.ask("/endless");
  EXPECT_TRUE(reads.ends());
}

TEST_F(HttpServerTest, RefusesOtherMethodsAndBodiesInWords) {
  start();
  for (const char* method : {"POST", "PUT", "DELETE", "BREW"}) {
    const auto reply = answer_to(std::string(method) + " /page HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(reply.status, 405) << method;
    EXPECT_THAT(reply.headers, HasSubstr("Allow: GET, HEAD\r\n"));
    EXPECT_EQ(reply.body, "only GET and HEAD are served here\n");
  }
  EXPECT_EQ(answer_to("GET /page HTTP/1.1\r\nContent-Length: 9\r\n\r\nsomething").status, 413);
  EXPECT_EQ(answer_to("GET /page HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n").status, 413);
}

TEST_F(HttpServerTest, RefusesWhatIsNoRequest) {
  start();
  for (const std::string& rubbish :
       {std::string("\xff\0\0\0\0\0\0\0\1\x7f\r\n\r\n", 14), std::string("\x16\3\1\2\0\1\0\1\xfc\r\n\r\n", 13),
        std::string("hello\r\n\r\n"), std::string("GET /page\r\n\r\n"), std::string("GET  HTTP/1.1\r\n\r\n"),
        std::string("GET /page HTTP/9.9\r\n\r\n"), std::string("GET /page HTTP/1.1\r\nno colon\r\n\r\n"),
        std::string("GET /page HTTP/1.1\r\nContent-Length: many\r\n\r\n")}) {
    const auto reply = answer_to(rubbish);
    EXPECT_EQ(reply.status, 400) << rubbish;
    EXPECT_THAT(reply.body, HasSubstr("this is no HTTP/1.1 request: ")) << rubbish;
  }
  EXPECT_EQ(get("/page").status, 200);
}

TEST_F(HttpServerTest, RefusesHeadersThatAreTooLong) {
  start();
  const auto line = answer_to("GET /" + std::string(100'000, 'a') + " HTTP/1.1\r\n\r\n");
  EXPECT_EQ(line.status, 431);
  EXPECT_EQ(line.body, "the request's headers are longer than 8192 bytes\n");
  EXPECT_EQ(answer_to("GET /page HTTP/1.1\r\nCookie: " + std::string(100'000, 'a') + "\r\n\r\n").status, 431);
  std::string many = "GET /page HTTP/1.1\r\n";
  for (int i = 0; i < 2'000; ++i) many += "A: b\r\n";
  EXPECT_EQ(answer_to(many + "\r\n").status, 431);
  EXPECT_EQ(get("/page").status, 200);
}

TEST_F(HttpServerTest, HangsUpOnWhoTakesTooLong) {
  options.request_time = milliseconds(50);
  options.silent_time = milliseconds(50);
  start();
  HttpClient silent(server->address()), half(server->address()), once(server->address());
  half.say("GET /page HTTP/1.1\r\nHost: ");
  once.ask("/page");
  EXPECT_EQ(once.heard().status, 200);
  EXPECT_TRUE(silent.ends());
  EXPECT_TRUE(half.ends());
  EXPECT_TRUE(once.ends());
}

TEST_F(HttpServerTest, HangsUpOnWhoGoesOnSlowly) {
  options.request_time = milliseconds(300);
  start();
  HttpClient drips(server->address());
  drips.say("GET /page HTTP/1.1\r\n");
  const auto ended_meanwhile = [&] {
    drips.say("A: b\r\n");
    return drips.ends(milliseconds(10));
  };
  const auto until = std::chrono::steady_clock::now() + seconds(60);
  bool ended = false;
  while (!ended && std::chrono::steady_clock::now() < until) ended = ended_meanwhile();
  EXPECT_TRUE(ended) << "each byte has given it more time";
}

TEST_F(HttpServerTest, HangsUpOnWhoDoesNotReadItsAnswer) {
  options.answer_time = milliseconds(100);
  options.max_unsent = 1'000'000;
  large = 50'000'000;  // more than sockets hold
  start();
  HttpClient client(server->address());
  client.ask("/large");
  ASSERT_TRUE(client.has_answer());
  EXPECT_TRUE(eventually([&] { return get("/page").status == 200; })) << "then nothing waits to be read any more";
  EXPECT_EQ(client.heard().status, 0) << "the rest of it";
}

TEST_F(HttpServerTest, AnswersThatAreNotReadAreBounded) {
  options.max_unsent = 60'000'000;
  large = 50'000'000;
  start();
  std::vector<std::unique_ptr<HttpClient>> lazy;
  for (int i = 0; i < 2; ++i) {
    lazy.push_back(std::make_unique<HttpClient>(server->address()));
    lazy.back()->ask("/large");
    ASSERT_TRUE(lazy.back()->has_answer());
  }
  const auto reply = get("/page");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.body, "100000000 bytes of answers wait for their clients to read them; try again later\n");
  lazy.clear();
  EXPECT_TRUE(eventually([&] { return get("/page").status == 200; }));
}

TEST_F(HttpServerTest, OneMoreTakesThePlaceOfTheOneThatHasWaitedLongest) {
  options.max_connections = 3;
  start();
  std::vector<std::unique_ptr<HttpClient>> waiting;
  for (int i = 0; i < 3; ++i) {
    waiting.push_back(std::make_unique<HttpClient>(server->address()));
    waiting.back()->ask("/page");
    EXPECT_EQ(waiting.back()->heard().status, 200);
  }
  waiting[0]->ask("/page");  // by now the second has waited longest
  EXPECT_EQ(waiting[0]->heard().status, 200);
  EXPECT_EQ(get("/page").status, 200);
  EXPECT_TRUE(waiting[1]->ends());
  for (const int still_there : {0, 2}) {
    waiting[still_there]->ask("/page");
    EXPECT_EQ(waiting[still_there]->heard().status, 200) << still_there;
  }
}

TEST_F(HttpServerTest, TwoHundredAtOnceAreAnsweredAndLeaveNothingBehind) {
  start();
  std::vector<std::unique_ptr<HttpClient>> crowd;
  for (int i = 0; i < 200; ++i) crowd.push_back(std::make_unique<HttpClient>(server->address()));
  EXPECT_EQ(get("/page").status, 200) << "silent ones keep nobody out";
  crowd.clear();
  for (int i = 0; i < 200; ++i) {
    crowd.push_back(std::make_unique<HttpClient>(server->address()));
    crowd.back()->ask("/page");
  }
  for (const auto& client : crowd) EXPECT_EQ(client->heard().status, 200);
}

TEST_F(HttpServerTest, RefusesAddressesThatItCannotListenAt) {
  start();
  options.listen = server->address();
  const auto fails = [&](const std::string& listen) -> std::string {
    options.listen = listen;
    try {
      HttpServer(options, pages, Logger());
      return {};
    } catch (const HttpError& error) {
      return error.what();
    }
  };
  EXPECT_THAT(fails(server->address()), HasSubstr("Address already in use"));
  for (const char* wrong : {"", "9464", "localhost:1", "127.0.0.1:x", "127.0.0.1:99999", "127.0.0.1"}) {
    EXPECT_THAT(fails(wrong), HasSubstr("expected an IP address and a port")) << wrong;
  }
}

TEST_F(HttpServerTest, StopsWhateverIsUnderWay) {
  large = 50'000'000;
  start();
  HttpClient silent(server->address()), reads_nothing(server->address());
  reads_nothing.ask("/large");
  HttpClient endless(server->address());
  endless.ask("/endless");
  ASSERT_TRUE(endless.has_answer());
  EXPECT_EQ(get("/page").status, 200);
  const std::string address = server->address();
  server->stop();
  server->stop();
  EXPECT_TRUE(silent.ends());
  EXPECT_THROW(HttpClient{address}, std::runtime_error);
}

}  // namespace
}  // namespace busbar::host
