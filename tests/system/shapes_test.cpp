// The JSON that scripts rely on, key by key.
#include <set>

#include "system/support/test_host.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

std::set<std::string> keys_of(const Json& object) {
  std::set<std::string> out;
  for (const auto& [key, value] : object.items()) out.insert(key);
  return out;
}

class Shapes : public SystemTest {
 protected:
  void SetUp() override {
    for (const char* name : {"behaviours", "greeter", "echo"}) host.add(name);
    host.start();
  }
  Json service(const std::string& name) {
    const Json all = host.ask({"services"}).json;
    for (const Json& row : all["services"]) {
      if (row["name"] == name) return row;
    }
    return {};
  }
  // The answer to a call without what differs from call to call, after a look at that.
  Json steady_part(const Answer& answer) {
    Json json = answer.json;
    EXPECT_EQ(json["node"], "tested");
    EXPECT_TRUE(json["duration_us"].is_number_unsigned());
    EXPECT_TRUE(json["message_id"].is_string());
    for (const char* key : {"node", "duration_us", "message_id", "correlation_id"}) json.erase(key);
    return json;
  }
};

TEST_F(Shapes, AnswersOfEachKind) {
  const std::vector<std::tuple<std::string, int, Json>> kinds = {
      {"ok", 0, {{"response", "ok"}}},
      {"ok_value", 0, {{"response", "ok"}, {"value", 42}}},
      {"ok_value_version", 0, {{"response", "ok"}, {"value", "v"}, {"version", 3}}},
      {"ok_version", 0, {{"response", "ok"}, {"version", 3}}},
      {"created", 0, {{"response", "created"}, {"id", "id-1"}}},
      {"created_version", 0, {{"response", "created"}, {"id", "id-1"}, {"version", 9}}},
      {"validation_error",
       5,
       {{"response", "validation_error"},
        {"details", Json::array({{{"path", "owner.name"}, {"expected", "text"}, {"found", "integer 7"}}})}}},
      {"missing_id", 5, {{"response", "missing_id"}, {"field", "account"}}},
      {"error", 1, {{"response", "error"}, {"code", "out_of_tea"}, {"text", "there is none"}, {"value", "oolong"}}},
      {"bad_rpc", 4, {{"response", "error"}, {"code", "badrpc"}, {"kind", "timeout"}, {"text", "gave up"}}},
  };
  for (const auto& [kind, status, expected] : kinds) {
    const Answer answer = host.call("answers_kind", {{"key", kind}});
    EXPECT_EQ(answer.status, status) << kind;
    EXPECT_EQ(steady_part(answer), expected) << kind;
  }
  const Json forbidden = steady_part(host.call("answers_kind", {{"key", "forbidden"}}));
  EXPECT_EQ(forbidden["response"], "error");
  EXPECT_EQ(forbidden["code"], "forbidden");
}

TEST_F(Shapes, AnswersOfTheDispatcherItself) {
  EXPECT_EQ(steady_part(host.call("nobody_has_this")),
            Json({{"response", "service_unavailable"}, {"service", "nobody_has_this"}}));
  const Answer late = host.call("sleeps", {{"ms", 300}}, {"--timeout", "30"});
  Json told = steady_part(late);
  EXPECT_EQ(told["explain"]["hops"][0]["service"], "sleeps");
  told.erase("explain");
  EXPECT_EQ(told, Json({{"response", "service_timeout"}, {"service", "sleeps"}, {"timeout_ms", 30}}));
}

TEST_F(Shapes, C_R7_Services) {
  const Json greet = service("greet");
  const std::set<std::string> expected = {"name", "visibility", "doc", "plugin", "inline", "providers"};
  for (const auto& key : expected) EXPECT_TRUE(greet.contains(key)) << key;
  EXPECT_EQ(greet["visibility"], "public");
  EXPECT_EQ(greet["doc"], "Greets somebody by name.");
  EXPECT_EQ(greet["plugin"], "greeter");
  EXPECT_EQ(greet["inline"], false);
  EXPECT_EQ(greet["providers"], Json::array({"tested"}));
  EXPECT_EQ(service("echo")["inline"], true);
  EXPECT_EQ(service("echo_count")["visibility"], "private");

  const auto names = [&](const char* which) {
    std::set<std::string> out;
    const Json chosen = host.ask({"services", "--visibility", which}).json;
    for (const Json& row : chosen["services"]) out.insert(row["name"]);
    return out;
  };
  EXPECT_EQ(names("private"), (std::set<std::string>{"echo_count", "kept_private"}));
  EXPECT_FALSE(names("public").contains("kept_private"));
  EXPECT_EQ(names("all").size(), names("public").size() + 2);
}

TEST_F(Shapes, C_R1_APrivateServiceCanBeCalledOnItsOwnNode) {
  EXPECT_EQ(host.call("kept_private").status, 0);
  host.call("echo", 1);
  EXPECT_EQ(host.call("echo_count").json["value"], 1);
}

TEST_F(Shapes, Plugins) {
  host.call("greet", {{"name", "Ada"}});
  host.call("greet", 7);
  // A caller may hear its answer a moment before the call is over.
  EXPECT_TRUE(eventually([&] { return host.plugin("greeter.so")["calls_running"] == 0; }));
  const Json row = host.plugin("greeter.so");
  EXPECT_EQ(keys_of(row), (std::set<std::string>{"name", "version", "generation", "state", "file", "reason", "services",
                                                 "calls_running", "calls_served", "errors", "since", "healthy"}));
  EXPECT_EQ(row["healthy"], true);
  EXPECT_EQ(row["name"], "greeter");
  EXPECT_EQ(row["version"], "1.0.0");
  EXPECT_EQ(row["state"], "serving");
  EXPECT_EQ(row["services"], Json::array({"greet"}));
  EXPECT_EQ(row["calls_running"], 0);
  EXPECT_EQ(row["calls_served"], 2);
  EXPECT_EQ(row["errors"], 1);
  EXPECT_GE(row["generation"], 1);
  EXPECT_THAT(row["since"].get<std::string>(), testing::MatchesRegex("[0-9]+-[0-9]+-[0-9]+T[0-9:.]+Z"));
}

TEST_F(Shapes, Status) {  // C-G5: how old what lookups see is
  const Json status = host.ask({"status"}).json;
  EXPECT_EQ(keys_of(status), (std::set<std::string>{"node", "version", "begun", "ready", "not_ready", "uptime_s",
                                                    "cluster", "pool", "plugins", "log", "watch", "http"}));
  EXPECT_EQ(status["log"], Json({{"dropped", 0}}));
  EXPECT_EQ(status["node"], "tested");
  EXPECT_EQ(status["begun"], true);
  EXPECT_EQ(status["ready"], true);
  EXPECT_EQ(status["not_ready"], Json::array());
  EXPECT_EQ(status["http"], Json({{"address", ""}}));
  EXPECT_TRUE(status["uptime_s"].is_number());
  EXPECT_TRUE(status["cluster"].is_object());
  EXPECT_TRUE(status["cluster"]["table"]["age_ms"].is_number_unsigned()) << status["cluster"];
  EXPECT_TRUE(status["pool"].is_object());
  EXPECT_EQ(status["plugins"], Json({{"serving", 3}}));
  EXPECT_TRUE(status["watch"]["mode"].is_string()) << status["watch"];
}

TEST_F(Shapes, LogLevel) {
  const Json shown = host.ask({"log-level", "plugin.greeter", "debug"}).json;
  EXPECT_EQ(keys_of(shown), (std::set<std::string>{"level", "changed", "parts"}));
  EXPECT_EQ(shown["level"], "info");
  EXPECT_EQ(shown["changed"], false);
  const Json greeter = {{"part", "plugin.greeter"}, {"level", "debug"}, {"changed", true}};
  const Json dispatch = {{"part", "host.dispatch"}, {"level", "info"}, {"changed", false}};
  EXPECT_THAT(shown["parts"], testing::IsSupersetOf({greeter, dispatch}));
  EXPECT_EQ(host.ask({"log-level"}).json, shown);
}

TEST_F(Shapes, C_D12_Discover) {
  EXPECT_EQ(host.ask({"discover", "greet"}).json,
            Json({{"providers", Json::array({{{"node", "local"}, {"router", "greeter"}}})}}));
  const Answer nobody = host.ask({"discover", "nobody_has_this"});
  EXPECT_EQ(nobody.status, 3);
  EXPECT_EQ(nobody.json, Json({{"providers", Json::array()}}));
}

TEST_F(Shapes, EveryVerbSpeaksToPeopleToo) {
  using testing::HasSubstr;
  EXPECT_THAT(host.busbar({"call", "greet", R"({"name":"Ada"})"}).out, HasSubstr("Hello, Ada!"));
  EXPECT_THAT(host.busbar({"services"}).out, HasSubstr("Greets somebody by name."));
  EXPECT_THAT(host.busbar({"plugins"}).out, HasSubstr("greeter"));
  EXPECT_THAT(host.busbar({"status"}).out, HasSubstr("tested"));
  EXPECT_THAT(host.busbar({"discover", "greet"}).out, HasSubstr("greeter"));
  EXPECT_THAT(host.busbar({"authorized", "greet"}).out, HasSubstr("yes"));
  EXPECT_THAT(host.busbar({"rescan"}).out, HasSubstr("greeter"));
  EXPECT_THAT(host.busbar({"--help"}).out, HasSubstr("Exit status"));
  for (const char* verb :
       {"call", "services", "plugins", "status", "discover", "authorized", "validate", "rescan", "check", "new"}) {
    const Ended help = host.busbar({verb, "--help"});
    EXPECT_EQ(help.status, 0) << verb;
    EXPECT_THAT(help.out, HasSubstr(verb));
  }
}

// -- plugins of other languages, compilers and standard libraries

TEST_F(Shapes, APluginInCIsServed) {
  const Json request = {{"text", "früh"}, {"list", {1, 2.5, nullptr, true}}};
  EXPECT_EQ(host.call("echo", request).json["value"], request);
}

TEST_F(Shapes, APluginBuiltByClangWithLibcxxIsServed) {
  if (!std::filesystem::exists(tested::plugin("libcxx"))) {
    GTEST_SKIP() << "there is no clang++ with libc++, or this is a build with a sanitizer";
  }
  host.add("libcxx");
  EXPECT_EQ(host.ask({"rescan"}).status, 0);
  const Answer answer = host.call("libcxx_words", {{"text", "pear plum pear"}});
  EXPECT_EQ(answer.json["value"]["words"], Json({{"pear", 2}, {"plum", 1}}));
  EXPECT_EQ(host.call("libcxx_later", {{"text", "pear"}}).json["value"], "pear");
  const Answer thrown = host.call("libcxx_throws", {{"text", "it"}});
  EXPECT_EQ(thrown.json["kind"], "exit");
  EXPECT_EQ(thrown.json["text"], "no words for \"it\"");
  EXPECT_EQ(host.call("libcxx_words", Json::object()).status, 5);
  EXPECT_EQ(host.ask({"check", tested::plugin("libcxx")}).status, 0);
}

}  // namespace
}  // namespace busbar::system_tests
