#include "cli/command_line.hpp"

#include <busbar/wire/event_names.hpp>

#include "unit/cli/cli_testing.hpp"

namespace busbar::cli {
namespace {

using ::testing::HasSubstr;

const char* no_variables(const char*) { return nullptr; }

Command parse(std::vector<std::string> arguments) { return parse_command_line(std::move(arguments), no_variables); }
Failure refusal(const std::vector<std::string>& arguments) {
  return failure_of([&] { parse(arguments); });
}
std::string printout(const std::vector<std::string>& arguments) {
  try {
    parse(arguments);
  } catch (const Printout& out) {
    return out.text;
  }
  ADD_FAILURE() << "nothing was printed";
  return {};
}

TEST(CommandLine, ReadsACallWithAllThatItMayHave) {
  const Command command = parse({"call", "greet", "{\"a\":1}", "--timeout", "250", "--assign", "a=1", "--assign",
                                 "b=[1,2]", "--dry-run=verbose"});
  EXPECT_EQ(command.verb, "call");
  EXPECT_EQ(command.service, "greet");
  EXPECT_EQ(command.request, "{\"a\":1}");
  EXPECT_EQ(command.timeout_ms, 250u);
  EXPECT_EQ(command.assigns, (std::vector<std::string>{"a=1", "b=[1,2]"}));
  EXPECT_EQ(command.dry_run, "verbose");
  EXPECT_FALSE(command.json);
}

TEST(CommandLine, ReadsWhichEventsAreAskedFor) {
  const Command all = parse({"events"});
  EXPECT_EQ(all.verb, "events");
  EXPECT_FALSE(all.follow);
  EXPECT_TRUE(all.event_kinds.empty());
  const Command some =
      parse({"events", "-f", "--service", "greet", "--event", "plugin_failed", "--event", "node_left"});
  EXPECT_TRUE(some.follow);
  EXPECT_EQ(some.service, "greet");
  EXPECT_EQ(some.event_kinds, (std::vector<std::string>{"plugin_failed", "node_left"}));
}

TEST(CommandLine, RefusesAKindOfEventThatThereIsNotAndListsThoseThatThereAre) {
  const Failure failure = refusal({"events", "--event", "plugin_failed", "--event", "plugin_lost"});
  EXPECT_EQ(failure.status(), ExitStatus::usage);
  const std::string all = std::string(failure.what()) + failure.hint();
  EXPECT_THAT(all, HasSubstr("plugin_lost"));
  for (const std::string_view known : wire::kEventNames) EXPECT_THAT(all, HasSubstr(std::string(known)));
}

TEST(CommandLine, ACallNeedsNoRequest) {
  const Command command = parse({"call", "greet"});
  EXPECT_EQ(command.request, "{}");
  EXPECT_EQ(command.dry_run, "no");
  EXPECT_FALSE(command.timeout_ms);
}

TEST(CommandLine, GlobalOptionsMayStandOnEitherSideOfTheVerb) {
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{"--json", "--run-dir", "/x", "call", "greet", "{}"},
                                             {"call", "greet", "{}", "--json", "--run-dir=/x"},
                                             {"--run-dir=/x", "call", "--json", "greet", "{}"}}) {
    const Command command = parse(arguments);
    EXPECT_TRUE(command.json);
    EXPECT_EQ(command.run_dir, "/x");
    EXPECT_EQ(command.request, "{}");
  }
}

TEST(CommandLine, KeepsTheOptionsThatFindTheHostForALineThatIsShown) {
  EXPECT_EQ(parse({"describe", "greet"}).host_options, "");
  EXPECT_EQ(parse({"describe", "greet", "--run-dir", "/a b"}).host_options, "--run-dir '/a b' ");
  EXPECT_EQ(parse({"--connect=tcp://h:1", "--cluster", "c", "describe", "greet"}).host_options,
            "--connect tcp://h:1 --cluster c ");
}

TEST(CommandLine, TakesANegativeNumberAndADashAsARequest) {
  EXPECT_EQ(parse({"call", "echo", "-5"}).request, "-5");
  EXPECT_EQ(parse({"call", "echo", "-1.5e3", "--json"}).request, "-1.5e3");
  EXPECT_EQ(parse({"call", "echo", "-"}).request, "-");
  EXPECT_EQ(parse({"call", "echo", "[1,2]"}).request, "[1,2]");
  EXPECT_EQ(parse({"call", "echo", "@file"}).request, "@file");
}

TEST(CommandLine, AnAssignDoesNotSwallowTheRequest) {
  const Command command = parse({"call", "--assign", "a=[1]", "echo", "[2]"});
  EXPECT_EQ(command.assigns, (std::vector<std::string>{"a=[1]"}));
  EXPECT_EQ(command.request, "[2]");
}

TEST(CommandLine, DryRunWithoutAValueIsYes) {
  EXPECT_EQ(parse({"call", "echo", "--dry-run"}).dry_run, "yes");
  EXPECT_EQ(parse({"call", "--dry-run", "echo", "{}"}).dry_run, "yes");
  EXPECT_EQ(refusal({"call", "echo", "--dry-run=maybe"}).status(), ExitStatus::usage);
}

TEST(CommandLine, AServiceMayHaveTheNameOfAVerb) {
  EXPECT_EQ(parse({"call", "call"}).service, "call");
  EXPECT_EQ(parse({"discover", "services"}).service, "services");
  EXPECT_EQ(parse({"call", "status", "{}"}).verb, "call");
}

TEST(CommandLine, EveryVerbIsKnown) {
  for (const char* verb : {"services", "nodes", "plugins", "status", "rescan", "calls"})
    EXPECT_EQ(parse({verb}).verb, verb);
  EXPECT_EQ(parse({"trail", "abc"}).correlation_id, "abc");
  EXPECT_EQ(parse({"trail", "--", "-bc"}).correlation_id, "-bc") << "ids may begin so";
  EXPECT_EQ(refusal({"trail"}).status(), ExitStatus::usage);
  for (const char* verb : {"load", "unload", "reload", "rollback"}) {
    EXPECT_EQ(parse({verb, "greeter"}).verb, verb);
    EXPECT_EQ(parse({verb, "greeter"}).plugin, "greeter");
    EXPECT_EQ(refusal({verb}).status(), ExitStatus::usage);
  }
  for (const char* verb : {"call", "validate", "authorized", "discover", "describe"})
    EXPECT_EQ(parse({verb, "echo"}).verb, verb);
  EXPECT_EQ(parse({"check", "a.so", "b.so"}).files, (std::vector<std::string>{"a.so", "b.so"}));
  EXPECT_EQ(parse({"check", "--", "-odd.so", "status"}).files, (std::vector<std::string>{"-odd.so", "status"}));
}

TEST(CommandLine, ALevelOfTheLogMayHaveAPart) {
  EXPECT_TRUE(parse({"log-level"}).log_level.empty());
  EXPECT_EQ(parse({"log-level", "debug"}).log_level, (std::vector<std::string>{"debug"}));
  EXPECT_EQ(parse({"log-level", "plugin.greeter", "default", "--json"}).log_level,
            (std::vector<std::string>{"plugin.greeter", "default"}));
  for (const auto& wrong : std::vector<std::vector<std::string>>{
           {"log-level", "host"}, {"log-level", "host", "loud"}, {"log-level", "host", "debug", "info"}}) {
    EXPECT_EQ(refusal(wrong).status(), ExitStatus::usage) << wrong.back();
  }
  EXPECT_THAT(refusal({"log-level", "debgu"}).what(), testing::HasSubstr("nearest: \"debug\""));
}

TEST(CommandLine, AProjectHasANameAndMayHaveADirectory) {
  const Command here = parse({"new", "tea-pot"});
  EXPECT_EQ(here.verb, "new");
  EXPECT_EQ(here.plugin, "tea-pot");
  EXPECT_EQ(here.directory, "");
  EXPECT_EQ(parse({"new", "--directory", "/x", "tea-pot"}).directory, "/x");
  for (const auto& wrong :
       std::vector<std::vector<std::string>>{{"new"}, {"new", "a", "b"}, {"new", "a", "--directory="}}) {
    EXPECT_EQ(refusal(wrong).status(), ExitStatus::usage) << wrong.back();
  }
}

TEST(CommandLine, ServicesCanBeListedByVisibility) {  // C-R7
  EXPECT_EQ(parse({"services"}).visibility, "all");
  EXPECT_EQ(parse({"services", "--visibility", "private"}).visibility, "private");
  EXPECT_THAT(refusal({"services", "--visibility", "secret"}).what(), HasSubstr("\"secret\""));
}

TEST(CommandLine, VerbsForCallersGoToAnyHost) {
  for (const char* verb : {"call", "validate", "authorized", "discover", "describe"}) {
    const Command command = parse({"--connect", "tcp://10.0.0.7:7100", verb, "greet"});
    EXPECT_EQ(command.connect, "tcp://10.0.0.7:7100");
    EXPECT_EQ(command.cluster, "busbar");
  }
  EXPECT_EQ(parse({"nodes", "--connect", "tcp://[::1]:7100", "--cluster", "c"}).cluster, "c");
  EXPECT_EQ(parse({"services", "--connect", "ipc:///run/b.sock"}).connect, "ipc:///run/b.sock");
  EXPECT_EQ(parse({"nodes"}).connect, "");
}

TEST(CommandLine, VerbsForAHostItselfDoNot) {
  for (const char* verb : {"plugins", "status", "rescan"}) {
    const Failure failure = refusal({"--connect", "tcp://10.0.0.7:7100", verb});
    EXPECT_EQ(failure.status(), ExitStatus::usage);
    EXPECT_THAT(failure.what(), HasSubstr("answers \"" + std::string(verb) + "\" only on its own machine"));
  }
  EXPECT_EQ(refusal({"--connect", "tcp://10.0.0.7:7100", "check", "a.so"}).status(), ExitStatus::usage);
  EXPECT_EQ(refusal({"--connect", "tcp://10.0.0.7:7100", "unload", "greeter"}).status(), ExitStatus::usage);
}

TEST(CommandLine, ACallMayNameItsNode) {
  EXPECT_EQ(parse({"call", "greet", "--node", "warehouse-2"}).node, "warehouse-2");
  EXPECT_EQ(parse({"call", "greet"}).node, "");
}

TEST(CommandLine, WhatIsWrongIsAUsageErrorThatSaysWhat) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> wrong = {
      {{}, "no verb"},
      {{"dance"}, "unknown verb \"dance\""},
      {{"--connect", "tcp://h:1", "dance"}, "unknown verb \"dance\""},
      {{"--json", "--run-dir", "/x", "dance"}, "unknown verb \"dance\""},
      {{"call"}, "SERVICE"},
      {{"call", "Greet"}, "[a-z][a-z0-9_]{0,254}, found \"Greet\""},
      {{"call", ""}, "found \"\""},
      {{"call", "greet", "1", "2"}, "2"},
      {{"call", "greet", "--timeout", "0"}, "1 to 86400000"},
      {{"call", "greet", "--timeout", "86400001"}, "found 86400001"},
      {{"call", "greet", "--timeout", "-1"}, "--timeout"},
      {{"call", "greet", "--timeout", "soon"}, "--timeout"},
      {{"call", "greet", "--timeout", "5", "--timeout", "6"}, "--timeout"},
      {{"call", "greet", "--node", "local"}, "found \"local\""},
      {{"call", "greet", "--node", ""}, "--node"},
      {{"validate", "greet", "--node", "b"}, "--node"},
      {{"describe"}, "SERVICE"},
      {{"describe", "Greet"}, "found \"Greet\""},
      {{"nodes", "greet"}, "greet"},
      {{"nodes", "--timeout", "5"}, "--views"},
      {{"nodes", "--views", "--timeout", "0"}, "found 0"},
      {{"--connect", "", "nodes"}, "tcp://HOST:PORT or ipc://PATH, found \"\""},
      {{"--connect", "10.0.0.1:7", "nodes"}, "found \"10.0.0.1:7\""},
      {{"--connect", "tcp://h", "nodes"}, "found \"tcp://h\""},
      {{"--connect", "tcp://h:0", "nodes"}, "found \"tcp://h:0\""},
      {{"--connect", "tcp://h:65536", "nodes"}, "--connect"},
      {{"--connect", "tcp://h:x", "nodes"}, "--connect"},
      {{"--connect", "tcp://:7", "nodes"}, "--connect"},
      {{"--connect", "ipc://", "nodes"}, "--connect"},
      {{"--connect", "inproc://x", "nodes"}, "--connect"},
      {{"--connect", "tcp://h:1", "--run-dir", "/x", "nodes"}, "found both"},
      {{"--connect", "tcp://h:1", "--cluster", "a b", "nodes"}, "found \"a b\""},
      {{"--cluster", "c", "nodes"}, "together with --connect"},
      {{"discover", "greet", "{}"}, "{}"},
      {{"status", "plugins"}, ""},
      {{"check"}, "FILE"},
      {{"--run-dir"}, "--run-dir"},
      {{"--run-dir", "", "status"}, "--run-dir"}};
  for (const auto& [arguments, part] : wrong) {
    const Failure failure = refusal(arguments);
    EXPECT_EQ(failure.status(), ExitStatus::usage) << failure.what();
    EXPECT_EQ(failure.code(), "usage");
    EXPECT_THAT(failure.what(), HasSubstr(part));
    EXPECT_THAT(failure.hint(), HasSubstr("--help"));
  }
}

TEST(CommandLine, TheRunDirectoryIsTheUsersElseTheSystems) {
  const auto with = [](const char* value) {
    return default_run_dir(
        [value](const char* name) { return std::string_view(name) == "XDG_RUNTIME_DIR" ? value : nullptr; });
  };
  EXPECT_EQ(with("/run/user/7"), "/run/user/7/busbar");
  EXPECT_EQ(with(nullptr), "/run/busbar");
  EXPECT_EQ(with(""), "/run/busbar");
  EXPECT_EQ(with("relative"), "/run/busbar");
}

TEST(CommandLine, JsonIsWantedAlsoWhereTheRestCannotBeRead) {
  EXPECT_TRUE(wants_json({"dance", "--json"}));
  EXPECT_FALSE(wants_json({"check", "--", "--json"}));
  EXPECT_FALSE(wants_json({"call"}));
}

TEST(CommandLine, HelpAndVersionArePrinted) {
  EXPECT_THAT(printout({"--help"}), HasSubstr("Exit status"));
  EXPECT_THAT(printout({"call", "--help"}), HasSubstr("busbar call"));
  EXPECT_THAT(printout({"call", "-h"}), HasSubstr("--assign KEY=JSON"));
  EXPECT_THAT(printout({"--version"}), ::testing::StartsWith("busbar "));
}

}  // namespace
}  // namespace busbar::cli
