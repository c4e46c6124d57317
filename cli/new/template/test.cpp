// A host for the router alone, in this process: it loads the class as a real host does, and calls it as callers do.
#include <busbar/testing/kit.hpp>

#include <gtest/gtest.h>

#include <string>

#include "router.hpp"

namespace {

using busbar::Message;
using busbar::Response;

class MyPluginTest : public ::testing::Test {
 protected:
  Response greet(const Greet& request) { return host.call("my_plugin_greet", request).response(); }
  Greeted greeted() { return host.call("my_plugin_greeted").response().value_as<Greeted>(); }

  busbar::kit::Host<MyPluginRouter> host;
};

TEST_F(MyPluginTest, GreetsByName) {
  EXPECT_EQ(greet(Greet{"Ada"}).value_as<Greeting>().text, "Hello, Ada!");
  EXPECT_EQ(greet(Greet{"Ada", "Good morning"}).value_as<Greeting>().text, "Good morning, Ada!");
}

TEST_F(MyPluginTest, RemembersWhoWasGreetedLast) {
  EXPECT_FALSE(greeted().last);
  greet(Greet{"Ada"});
  greet(Greet{"Grace"});
  EXPECT_EQ(greeted().count, 2);
  EXPECT_EQ(greeted().last, "Grace");
}

TEST_F(MyPluginTest, ANameIsNeeded) {
  EXPECT_EQ(greet(Greet{""}).kind(), Response::Kind::validation_error);
  EXPECT_EQ(host.call("my_plugin_greet").response().kind(), Response::Kind::validation_error);
  EXPECT_EQ(greeted().count, 0);
}

TEST_F(MyPluginTest, ADryRunChangesNothing) {
  EXPECT_TRUE(host.validate(Message::of("my_plugin_greet", Greet{"Ada"})).response().succeeded());
  EXPECT_EQ(greeted().count, 0);
}

TEST_F(MyPluginTest, EverybodyMayAsk) { EXPECT_TRUE(host.authorized(Message("my_plugin_greeted"))); }

}  // namespace
