// What a router declares.
#include <busbar/plugin.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_host.hpp"

namespace busbar {
namespace {

using testing::failure_of;
using testing::FakeHost;
using ::testing::HasSubstr;
using testing::OwnedRouter;

struct Unnamed {
  int value = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(value);
  }
};

struct Place {
  std::string country;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(country));
  }
};

struct Town : Place {
  std::string name;
  std::vector<Place> twins;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(cereal::base_class<Place>(this), CEREAL_NVP(name), CEREAL_NVP(twins));
  }
};

struct Base : Router {
  int one() { return 1; }
};

struct Declared final : Base {
  Declared() {
    service("plain", &Declared::one);
    service("all", &Declared::two).doc("What it does.").inlined().idempotent().dry_run_safe();
    service("patient", &Declared::three).timeout(std::chrono::hours(24));
    service("quick", &Declared::three).timeout(std::chrono::milliseconds(1));
    private_service("hidden", &Declared::one).doc("Only here.");
    limit(7, 5);
    service("narrow", &Declared::one).limit(3);
    service("least", &Declared::one).strategy(Strategy::least_pending);
    service("by_name", &Declared::town).sticky("name");
    service("by_country", &Declared::town).sticky("country");
    service("by_anything", &Declared::anything).sticky("whatever");
    service("by_message", &Declared::message).sticky("whatever");
  }
  int town(const Town&) { return 1; }
  int anything(const std::map<std::string, int>&) { return 1; }
  int message(const Message&) { return 1; }
  int one() { return 1; }
  int two() const { return 2; }
  static constexpr int kThree = 3;
  int three() { return kThree; }
};

const busbar_service& service_of(const busbar_router& router, std::string_view name) {
  for (std::uint32_t i = 0; i < router.service_count; ++i) {
    const busbar_text n = router.services[i]->name;
    if (std::string_view(n.data, n.size) == name) return *router.services[i];
  }
  throw std::runtime_error("no such service");
}

TEST(Router, C_R1_C_R2_DeclaresPublicAndPrivateServicesWithTheirProperties) {
  FakeHost host;
  const OwnedRouter router(host.create<Declared>());
  ASSERT_NE(router, nullptr);
  EXPECT_EQ(router->struct_size, sizeof *router);
  EXPECT_EQ(router->service_count, 11u);
  EXPECT_EQ(service_of(*router, "plain").flags, 0u);
  EXPECT_EQ(service_of(*router, "plain").timeout_ms, 0u);
  EXPECT_EQ(service_of(*router, "plain").doc.size, 0u);
  const auto& all = service_of(*router, "all");
  EXPECT_EQ(all.flags, BUSBAR_SERVICE_INLINE | BUSBAR_SERVICE_IDEMPOTENT | BUSBAR_SERVICE_DRY_RUN_SAFE);
  EXPECT_EQ(std::string(all.doc.data, all.doc.size), "What it does.");
  EXPECT_EQ(service_of(*router, "patient").timeout_ms, 86'400'000u);
  EXPECT_EQ(service_of(*router, "quick").timeout_ms, 1u);
  EXPECT_EQ(service_of(*router, "hidden").flags, BUSBAR_SERVICE_PRIVATE);
  EXPECT_EQ(std::string(service_of(*router, "hidden").doc.data, 10), "Only here.");
}

TEST(Router, C_D3_C_D15_DeclaresStrategiesAndLimits) {
  FakeHost host;
  const OwnedRouter router(host.create<Declared>());
  ASSERT_NE(router, nullptr) << host.error;
  EXPECT_EQ(router->max_running, 7u);
  EXPECT_EQ(router->max_queued, 5u);
  EXPECT_EQ(service_of(*router, "plain").max_running, 0u);
  EXPECT_EQ(service_of(*router, "plain").strategy, std::uint32_t{BUSBAR_STRATEGY_DEFAULT});
  EXPECT_EQ(service_of(*router, "narrow").max_running, 3u);
  EXPECT_EQ(service_of(*router, "narrow").max_queued, BUSBAR_NO_LIMIT);
  EXPECT_EQ(service_of(*router, "least").strategy, std::uint32_t{BUSBAR_STRATEGY_LEAST_PENDING});
  for (const char* name : {"name", "country"}) {
    const auto& service = service_of(*router, "by_" + std::string(name));
    EXPECT_EQ(service.strategy, std::uint32_t{BUSBAR_STRATEGY_STICKY});
    EXPECT_EQ(std::string(service.sticky_field.data, service.sticky_field.size), name);
  }
}

template <int Which>
struct Faulty final : Router {
  Faulty() {
    using std::chrono::milliseconds;
    if constexpr (Which == 0) service("Bad-Name", &Faulty::serve);
    if constexpr (Which == 1) service(std::string(256, 'a'), &Faulty::serve);
    if constexpr (Which == 2) service("twice", &Faulty::serve), private_service("twice", &Faulty::serve);
    if constexpr (Which == 3) service("s", &Faulty::serve).timeout(milliseconds(0));
    if constexpr (Which == 4) service("s", &Faulty::serve).timeout(milliseconds(-1));
    if constexpr (Which == 5) service("s", &Faulty::serve).timeout(milliseconds(86'400'001));
    if constexpr (Which == 6) service("s", &Faulty::takes_unnamed);
    if constexpr (Which == 7) service("s", &Faulty::returns_unnamed);
    if constexpr (Which == 8) service("s", &Faulty::returns_nested);
    if constexpr (Which == 9) throw std::runtime_error("no luck today");
    if constexpr (Which == 10) throw 5;
    if constexpr (Which == 11) throw std::runtime_error(std::string(5000, 'w'));
    if constexpr (Which == 12) service("s", &Faulty::serve).limit(1).inlined();
    if constexpr (Which == 13) service("s", &Faulty::serve).inlined().limit(1);
    if constexpr (Which == 14) service("s", &Faulty::takes_town).sticky("nope");
    if constexpr (Which == 15) service("s", &Faulty::takes_message).sticky("nope").template request<Town>();
    if constexpr (Which == 16) service("s", &Faulty::serve).strategy(Strategy::sticky);
    if constexpr (Which == 17) service("s", &Faulty::takes_town).sticky("");
    if constexpr (Which == 18) service("s", &Faulty::serve).limit(0);
    if constexpr (Which == 19) limit(0);
  }
  int serve() { return 1; }
  int takes_town(const Town&) { return 1; }
  Response takes_message(Message&) { return Response::ok(); }
  int takes_unnamed(const Unnamed&) { return 1; }
  Unnamed returns_unnamed() { return {}; }
  std::optional<std::vector<Unnamed>> returns_nested() { return {}; }
};

TEST(Router, FailsWithTheNameAndTheRuleForABadServiceName) {
  EXPECT_THAT(failure_of<Faulty<0>>(), HasSubstr("\"Bad-Name\""));
  EXPECT_THAT(failure_of<Faulty<0>>(), HasSubstr("[a-z][a-z0-9_]{0,254}"));
  EXPECT_THAT(failure_of<Faulty<1>>(), HasSubstr("[a-z][a-z0-9_]{0,254}"));
}

TEST(Router, FailsForANameThatIsDeclaredTwice) {
  EXPECT_THAT(failure_of<Faulty<2>>(), HasSubstr("service \"twice\" is declared twice"));
}

TEST(Router, FailsForATimeoutBeyondItsRange) {
  EXPECT_THAT(failure_of<Faulty<3>>(), HasSubstr("expected 1 to 86400000"));
  EXPECT_THAT(failure_of<Faulty<4>>(), HasSubstr("-1 ms"));
  EXPECT_THAT(failure_of<Faulty<5>>(), HasSubstr("86400001 ms"));
}

TEST(Router, C_D17_FailsForAnInlineServiceWithALimitInEitherOrder) {
  for (const std::string& failure : {failure_of<Faulty<12>>(), failure_of<Faulty<13>>()}) {
    EXPECT_THAT(failure, HasSubstr("service \"s\": it is inlined() and has a limit(1), expected one of them"));
  }
}

TEST(Router, C_D3_FailsForAKeyThatTheRequestDoesNotHaveAndListsItsFields) {
  const std::string expected =
      "service \"s\": sticky(\"nope\"), expected a field of the request: \"country\", \"name\", \"twins\"";
  EXPECT_EQ(failure_of<Faulty<14>>(), expected);
  EXPECT_EQ(failure_of<Faulty<15>>(), expected) << "whatever is said first";
  EXPECT_THAT(failure_of<Faulty<16>>(), HasSubstr("expected sticky(\"FIELD\")"));
  EXPECT_THAT(failure_of<Faulty<17>>(), HasSubstr("expected the name of a field"));
}

TEST(Router, C_D15_FailsForALimitOfNoCalls) {
  EXPECT_THAT(failure_of<Faulty<18>>(), HasSubstr("service \"s\": max_running is 0"));
  EXPECT_THAT(failure_of<Faulty<19>>(), HasSubstr("the router's max_running is 0"));
}

TEST(Router, FailsForFieldsWithoutNamesAndNamesTheType) {
  EXPECT_THAT(failure_of<Faulty<6>>(), HasSubstr("Unnamed"));
  EXPECT_THAT(failure_of<Faulty<7>>(), HasSubstr("Unnamed"));
  EXPECT_THAT(failure_of<Faulty<8>>(), HasSubstr("Unnamed"));
}

TEST(Router, FailsWithWhatItsConstructorThrew) {
  EXPECT_EQ(failure_of<Faulty<9>>(), "no luck today");
  EXPECT_THAT(failure_of<Faulty<10>>(), HasSubstr("no std::exception"));
  EXPECT_EQ(failure_of<Faulty<11>>().size(), sizeof(busbar_error{}.text));
}

// ------------------------------------------------------------------------------------------- starting and stopping

struct Lifecycle final : Router {
  inline static int alive = 0, stopped = 0;
  inline static std::string seen;
  inline static std::string mode;

  Lifecycle() {
    ++alive;
    service("s", &Lifecycle::serve);
  }
  ~Lifecycle() override { --alive; }
  void start(const Payload& config) override {
    if (mode == "throw") throw std::runtime_error("no database");
    if (mode == "throw_int") throw 5;
    seen = config.to_json().dump();
    log().info("started");
  }
  void stop() override {
    ++stopped;
    if (mode == "throw") throw std::runtime_error("cannot stop");
  }
  Health healthy() override {
    if (mode == "throw") throw std::runtime_error("cannot look");
    return mode == "ill" ? Health::bad("the disk is full") : Health::good();
  }
  int serve() { return 1; }
};

class RouterLife : public ::testing::Test {
 protected:
  RouterLife() { Lifecycle::mode.clear(); }
  busbar_status start(const Payload& config = {}) {
    busbar_error out{};
    const busbar_status status = router->start(router->self, {config.bytes().data(), config.bytes().size()}, &out);
    error.assign(out.text, out.size);
    return status;
  }
  busbar_status healthy() {
    busbar_error out{};
    const busbar_status status = router->healthy(router->self, &out);
    error.assign(out.text, out.size);
    return status;
  }
  FakeHost host;
  OwnedRouter router{host.create<Lifecycle>()};
  std::string error;
};

TEST_F(RouterLife, StartsWithItsConfigurationAndMayLog) {
  EXPECT_EQ(start(Payload::from_json({{"path", "/x"}})), BUSBAR_DONE);
  EXPECT_EQ(Lifecycle::seen, R"({"path":"/x"})");
  EXPECT_EQ(host.lines, std::vector<std::string>{"2 started"});
}

TEST_F(RouterLife, AnExceptionInStartFailsItWithItsText) {
  Lifecycle::mode = "throw";
  EXPECT_EQ(start(), BUSBAR_FAILED);
  EXPECT_EQ(error, "no database");
  Lifecycle::mode = "throw_int";
  EXPECT_EQ(start(), BUSBAR_FAILED);
  EXPECT_THAT(error, HasSubstr("no std::exception"));
}

TEST_F(RouterLife, AnExceptionInStopIsLogged) {
  Lifecycle::mode = "throw";
  router->stop(router->self);
  EXPECT_EQ(host.lines, std::vector<std::string>{"4 stop threw: cannot stop"});
}

TEST_F(RouterLife, TellsItsHealthAndWhyItIsIll) {
  EXPECT_EQ(healthy(), BUSBAR_DONE);
  Lifecycle::mode = "ill";
  EXPECT_EQ(healthy(), BUSBAR_FAILED);
  EXPECT_EQ(error, "the disk is full");
  Lifecycle::mode = "throw";
  EXPECT_EQ(healthy(), BUSBAR_FAILED);
  EXPECT_EQ(error, "cannot look");
}

TEST_F(RouterLife, ToleratesAHostThatWantsNoReason) {
  Lifecycle::mode = "throw";
  EXPECT_EQ(router->start(router->self, {}, nullptr), BUSBAR_FAILED);
  EXPECT_EQ(router->healthy(router->self, nullptr), BUSBAR_FAILED);
}

TEST_F(RouterLife, IsFreedByDestroy) {
  EXPECT_EQ(Lifecycle::alive, 1);
  router.reset();
  EXPECT_EQ(Lifecycle::alive, 0);
}

}  // namespace
}  // namespace busbar
