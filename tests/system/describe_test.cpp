// What `busbar describe` tells of a service, and `busbar check` of two versions of a plugin.
#include <set>

#include "system/support/test_cluster.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

// All services as `busbar services` lists them, but for the one that opens what other examples are about: it is first.
std::vector<std::string> names_of_services(const TestHost& host) {
  std::vector<std::string> out = {"open_account"};
  const Json all = host.ask({"services"}).json;
  for (const Json& row : all["services"]) {
    if (row["name"] != "open_account") out.push_back(row["name"]);
  }
  return out;
}

std::vector<Json> descriptions(const TestHost& host) {
  std::vector<Json> out;
  for (const std::string& name : names_of_services(host)) out.push_back(host.ask({"describe", name}).json);
  return out;
}

Answer call_example(const TestHost& host, const Json& service) {
  std::vector<std::string> options;
  const Json assigns = service.value("example_assigns", Json::object());  // kept: what is gone through must live
  for (const auto& [key, value] : assigns.items()) {
    options.insert(options.end(), {"--assign", key + "=" + value.dump()});
  }
  return host.call(service["name"], service["example"], options);
}

// The example as `busbar describe` shows it to people: a line for a shell; empty where there is none.
std::string example_line(const TestHost& host, const std::string& service) {
  const std::string text = host.busbar({"describe", service}).out;
  const std::string head = "\nexample\n  ";
  const auto begin = text.find(head);
  return begin == std::string::npos ? std::string() : text.substr(begin + head.size());
}

Ended paste(const TestHost& host, const std::string& line) {
  Command shell;
  shell.arguments = {"/bin/sh", "-c", line};
  shell.variables = {{"PATH", fs::path(tested::busbar()).parent_path().string() + ":/usr/bin:/bin"}};
  shell.scratch = host.root() / "said";
  return run(shell);
}

class Describe : public SystemTest {
 protected:
  void SetUp() override {
    for (const char* name : {"greeter", "echo", "typed", "accounts"}) host.add(name);
    host.start();
  }
};

TEST_F(Describe, EveryExampleWorksAsPeopleAreShownIt) {
  std::set<std::string> with_example;
  for (const std::string& name : names_of_services(host)) {
    const std::string line = example_line(host, name);
    if (line.empty()) continue;
    with_example.insert(name);
    const Ended ended = paste(host, line);
    EXPECT_EQ(ended.status, 0) << line << ended.out << ended.err;
    EXPECT_THAT(ended.out, ::testing::StartsWith(name == "open_account" ? "created a-1, version 1\n" : "ok")) << line;
  }
  EXPECT_EQ(with_example, (std::set<std::string>{"balance", "deposit", "echo", "echo_count", "greet", "open_account",
                                                 "typed_everything", "typed_message", "typed_nothing", "typed_order",
                                                 "typed_removed", "withdraw"}));
}

TEST_F(Describe, AnExampleOfEveryKindOfValueComesBackAsItWas) {
  const Json example = host.ask({"describe", "typed_everything"}).json["example"];
  EXPECT_EQ(example["highest"], 18446744073709551615u);
  EXPECT_EQ(example["text"], "it's \"quoted\" \\ ä \n");
  EXPECT_EQ(host.call("typed_everything", example).json["value"], example);
}

TEST_F(Describe, SaysWhatACallNeedsBesideItsRequest) {
  for (const char* name : {"open_account", "deposit", "withdraw", "balance"}) {
    EXPECT_EQ(host.ask({"describe", name}).json["example_assigns"], (Json{{"user", "ann"}})) << name;
    EXPECT_THAT(example_line(host, name), HasSubstr(R"( --assign 'user="ann"')")) << name;
  }
  EXPECT_FALSE(host.ask({"describe", "greet"}).json.contains("example_assigns"));
}

TEST_F(Describe, ShowsPeopleTheFieldsOfRequestsAndResponses) {
  const std::string text = host.busbar({"describe", "typed_order"}).out;
  EXPECT_THAT(text, HasSubstr("request\n  FIELD  TYPE           REQUIRED  DEFAULT\n"));
  EXPECT_THAT(text, HasSubstr("  count  integer 0…255  no        1\n"));
  EXPECT_THAT(text, HasSubstr("  item   text           yes       -\n"));
  EXPECT_THAT(text, HasSubstr("response\n  FIELD   TYPE"));
}

TEST_F(Describe, LeavesOutWhatAPluginDoesNotSay) {
  const Json unsaid = host.ask({"describe", "typed_unsaid"}).json;
  for (const char* key : {"request", "response", "example", "example_assigns"})
    EXPECT_FALSE(unsaid.contains(key)) << key;
}

// Both that a schema is one, and that it takes the example.
TEST_F(Describe, SchemasAreValid) {
  const auto with_python = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "/usr/bin/env");
    Command command;
    command.arguments = std::move(arguments);
    command.scratch = host.root() / "said";
    return run(command);
  };
  if (with_python({"python3", "-c", "from jsonschema import Draft202012Validator"}).status != 0) {
    GTEST_SKIP() << "there is no python3 with jsonschema";
  }
  Json all = Json::array();
  for (Json& service : descriptions(host)) {
    const auto answer = service.contains("example") ? call_example(host, service) : Answer();
    // Without an answer's value there is none to be looked at, but for what answers nothing.
    if (service.contains("response") && answer.status == 0) service["answer"] = answer.json.value("value", Json());
    all.push_back(service);
  }
  write_file(host.root() / "described.json", all.dump());
  const Ended ended = with_python({"python3", BUSBAR_SCHEMA_CHECKER, (host.root() / "described.json").string()});
  EXPECT_EQ(ended.status, 0) << ended.out << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("checked 20 schemas, 12 requests and 8 answers"));
}

// C-R2: what its author wrote of it, too.
TEST_F(ClusterTest, DescribeTellsOfAServiceElsewhereWhatItsProviderDoes) {
  cluster.add("a", {"typed"});
  cluster.add("b");
  ASSERT_TRUE(cluster.wait_until_whole());
  ASSERT_TRUE(cluster.wait_until_offered("typed_order", {"a"}));
  const Json here = cluster["a"].ask({"describe", "typed_order"}).json;
  const Json there = cluster["b"].ask({"describe", "typed_order"}).json;
  for (const char* key :
       {"name", "doc", "plugin", "version", "inline", "idempotent", "dry_run_safe", "request", "response", "example"}) {
    ASSERT_TRUE(there.contains(key)) << key;
    EXPECT_EQ(there[key], here[key]) << key;
  }
  EXPECT_EQ(there["doc"], "Takes an order.");
  EXPECT_EQ(cluster["b"].call("typed_order", there["example"]).status, 0);
}

// C-D15: its own limit, and the one that all services of its plugin share.
TEST_F(SystemTest, DescribeAndPluginsTellHowManyCallsAreTaken) {
  host.add("limited");
  host.start();
  const Json of_all = {{"max_running", 4}, {"max_queued", 5}};
  const Json itself = host.ask({"describe", "limited_itself"}).json;
  EXPECT_EQ(itself["max_running"], 1);
  EXPECT_FALSE(itself.contains("max_queued"));
  EXPECT_EQ(itself["plugin_limit"], of_all);
  const Json by_all = host.ask({"describe", "limited_by_all"}).json;
  EXPECT_FALSE(by_all.contains("max_running"));
  EXPECT_EQ(by_all["plugin_limit"], of_all);
  EXPECT_FALSE(host.ask({"describe", "limited_inline"}).json.contains("plugin_limit")) << "it does not count";
  const Json row = host.plugin("limited.so");
  EXPECT_EQ(row["max_running"], 4);
  EXPECT_EQ(row["max_queued"], 5);
  EXPECT_THAT(host.busbar({"plugins"}).out, HasSubstr("4 at a time and 5 that wait"));
}

// -- `busbar check OLD NEW`, which needs no host

class CheckVersions : public SystemTest {};

TEST_F(CheckVersions, ExitsByWhetherCallersWouldBreak) {
  const auto older = tested::plugin("typed"), newer = tested::plugin("typed_newer");
  const Answer breaks = host.ask({"check", older, newer});
  EXPECT_EQ(breaks.status, 1);
  EXPECT_EQ(breaks.json["comparison"]["breaks"], true);
  EXPECT_EQ(breaks.json["files"].size(), 2u);
  const Answer same = host.ask({"check", older, older});
  EXPECT_EQ(same.status, 0);
  EXPECT_EQ(same.json["comparison"]["changes"], Json::array());
  EXPECT_EQ(host.ask({"check", tested::plugin("create_fails"), tested::plugin("create_fails")}).status, 2);
}

TEST_F(CheckVersions, TriesAPluginWhoseFileDoesNotSay) {
  const Ended ended = host.busbar({"check", tested::plugin("typed"), tested::plugin("typed_newer_unsaid")});
  EXPECT_EQ(ended.status, 1) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("breaks  service \"typed_order\": request field \"colour\": is new and required\n"));
}

}  // namespace
}  // namespace busbar::system_tests
