#include "wire/message.hpp"

#include <busbar/payload.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "record/record_check.hpp"

namespace busbar::registry::wire {
namespace {

using ::testing::HasSubstr;

NodeRecord record() {
  return {.name = "alpha",
          .incarnation = 1'700'000'000'000'000,
          .version = 3,
          .call_address = "tcp://127.0.0.1:4711",
          .registry_address = "tcp://127.0.0.1:4712",
          .services = {{.name = "count",
                        .router = "numbers",
                        .is_inline = true,
                        .idempotent = true,
                        .dry_run_safe = true,
                        .timeout_ms = 250},
                       {.name = "spell", .router = "words"}}};
}

nlohmann::json json_of(const Message& message) { return cbor::to_json(encode(message)); }
Message from_json(const nlohmann::json& json) { return decode(Payload::from_json(json).bytes()); }

/// What `decode` says of a message after `spoil` has changed its fields.
std::string fault_after(const Message& message, const std::function<void(nlohmann::json&)>& spoil) {
  nlohmann::json json = json_of(message);
  spoil(json);
  try {
    from_json(json);
  } catch (const BadMessage& error) {
    return error.what();
  }
  return "nothing";
}
std::string record_fault_after(const std::function<void(nlohmann::json&)>& spoil) {
  return fault_after(Announce{record()}, [&](nlohmann::json& json) { spoil(json["record"]); });
}

template <class Body>
Body round_trip(const Body& body) {
  return std::get<Body>(decode(encode(body)));
}

TEST(RegistryMessage, EachSurvivesTheWireWithAllItsFields) {
  const std::vector<PeerAddress> peers{{"beta", 7, "tcp://[::1]:1"}, {"gamma", 8, "ipc:///run/x"}};
  const auto hello = round_trip(Hello{1, 5, "busbar", record()});
  EXPECT_EQ(hello.major, 1U);
  EXPECT_EQ(hello.minor, 5U);
  EXPECT_EQ(hello.cluster, "busbar");
  EXPECT_EQ(hello.record, record());
  const auto welcome = round_trip(Welcome{1, 5, record(), peers});
  EXPECT_EQ(welcome.minor, 5U);
  EXPECT_EQ(welcome.record, record());
  EXPECT_EQ(welcome.peers, peers);
  const auto refused = round_trip(Refused{"name_held", "because", 9});
  EXPECT_EQ(refused.code, "name_held");
  EXPECT_EQ(refused.text, "because");
  EXPECT_EQ(refused.incarnation, 9U);
  EXPECT_EQ(round_trip(Announce{record()}).record, record());
  const auto heartbeat = round_trip(Heartbeat{"alpha", 1, 2, 3});
  EXPECT_EQ(heartbeat.name, "alpha");
  EXPECT_EQ(heartbeat.incarnation, 1U);
  EXPECT_EQ(heartbeat.version, 2U);
  EXPECT_EQ(heartbeat.sent_us, 3U);
  EXPECT_EQ(round_trip(HeartbeatAck{4, true}).sent_us, 4U);
  EXPECT_TRUE(round_trip(HeartbeatAck{4, true}).want_record);
  EXPECT_EQ(round_trip(HeartbeatAck{4, false, 7}).version, 7U);
  EXPECT_EQ(round_trip(Peers{peers}).peers, peers);
  EXPECT_EQ(round_trip(Ping{~std::uint64_t{0}}).nonce, ~std::uint64_t{0});
  const auto pong = round_trip(Pong{5, "alpha", 6});
  EXPECT_EQ(pong.nonce, 5U);
  EXPECT_EQ(pong.name, "alpha");
  EXPECT_EQ(pong.incarnation, 6U);
  const auto goodbye = round_trip(Goodbye{"alpha", 7});
  EXPECT_EQ(goodbye.name, "alpha");
  EXPECT_EQ(goodbye.incarnation, 7U);
}

TEST(RegistryMessage, LooksOnTheWireAsTheProtocolSays) {
  EXPECT_EQ(json_of(Heartbeat{"alpha", 1, 2, 3}).dump(),
            R"({"incarnation":1,"name":"alpha","sent_us":3,"type":"heartbeat","version":2})");
  EXPECT_EQ(
      json_of(Hello{1, 0, "busbar", record()})["record"]["services"][0].dump(),
      R"({"dry_run_safe":true,"idempotent":true,"inline":true,"name":"count","router":"numbers","timeout_ms":250})");
}

TEST(RegistryMessage, C_G4_AnAcknowledgementOfAnEarlierMinorVersionTellsNoRecord) {
  const auto ack = std::get<HeartbeatAck>(from_json({{"type", "heartbeat_ack"}, {"sent_us", 4}}));
  EXPECT_FALSE(ack.want_record);
  EXPECT_EQ(ack.version, 0U);
}

TEST(RegistryMessage, FieldsThatAreNotKnownAreSkipped) {
  nlohmann::json json = json_of(Hello{1, 9, "busbar", record()});
  json["zeal"] = {{"deep", {1, 2, 3}}};
  json["record"]["region"] = "north";
  json["record"]["services"][0]["colour"] = "blue";
  EXPECT_EQ(std::get<Hello>(from_json(json)).record, record());
}

TEST(RegistryMessage, C_D3_StrategiesTravelInRecords) {
  NodeRecord sent = record();
  sent.services[0].strategy = Strategy::sticky;
  sent.services[0].sticky_field = "town";
  sent.services[1].strategy = Strategy::least_pending;
  EXPECT_EQ(round_trip(Announce{sent}).record, sent);
  const nlohmann::json plain = json_of(Announce{record()})["record"]["services"][0];
  EXPECT_FALSE(plain.contains("strategy")) << "most services have none";
  EXPECT_FALSE(plain.contains("sticky_field"));
}

TEST(RegistryMessage, C_D3_AStrategyOfALaterVersionIsRandom) {
  nlohmann::json json = json_of(Announce{record()});
  json["record"]["services"][0]["strategy"] = "nearest";
  json["record"]["services"][1]["strategy"] = nullptr;
  const auto services = std::get<Announce>(from_json(json)).record.services;
  EXPECT_EQ(services[0].strategy, Strategy::standard);
  EXPECT_EQ(services[1].strategy, Strategy::standard);
  EXPECT_THAT(record_fault_after([](nlohmann::json& r) { r["services"][0]["strategy"] = 3; }), HasSubstr("strategy"));
  EXPECT_THAT(record_fault_after([](nlohmann::json& r) { r["services"][0]["sticky_field"] = std::string(1025, 'x'); }),
              HasSubstr("sticky field of count"));
}

TEST(RegistryMessage, ATypeOfALaterMinorVersionIsUnknownAndNoError) {
  EXPECT_EQ(std::get<Unknown>(from_json({{"type", "digest"}, {"x", 1}})).type, "digest");
}

TEST(RegistryMessage, AnotherMajorVersionIsToldWhateverItsFieldsAre) {
  const auto other = std::get<OtherMajor>(from_json({{"type", "hello"}, {"major", 2}, {"record", "elsewhere"}}));
  EXPECT_EQ(other.type, "hello");
  EXPECT_EQ(other.major, 2U);
}

TEST(RegistryMessage, ARefusalOfAnotherMajorVersionIsReadAllTheSame) {
  const auto message = from_json({{"type", "refused"}, {"major", 2}, {"code", "other_version"}, {"text", "no"}});
  EXPECT_EQ(std::get<Refused>(message).text, "no");
}

TEST(RegistryMessage, WhatIsOnlyEverReadCannotBeWritten) {
  EXPECT_THROW(encode(Unknown{"x"}), std::invalid_argument);
  EXPECT_THROW(encode(OtherMajor{"x", 2}), std::invalid_argument);
  EXPECT_THROW(encode(Refused{"x", "\xFF", 0}), std::invalid_argument);
  EXPECT_EQ(type_of(Unknown{"x"}), "x");
  EXPECT_EQ(type_of(HeartbeatAck{}), "heartbeat_ack");
}

TEST(RegistryMessage, EveryPrefixOfAMessageIsABadMessage) {
  const auto bytes = encode(Welcome{1, 0, record(), {{"beta", 7, "tcp://b:1"}}});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THROW(decode({bytes.data(), size}), BadMessage) << size;
  }
}

TEST(RegistryMessage, AMissingOrWrongFieldIsNamed) {
  const auto without = [](const char* field) { return [field](nlohmann::json& json) { json.erase(field); }; };
  EXPECT_THAT(fault_after(Ping{1}, without("type")), HasSubstr("\"type\""));
  EXPECT_THAT(fault_after(Ping{1}, without("nonce")), HasSubstr("\"nonce\""));
  EXPECT_THAT(fault_after(Hello{1, 0, "c", record()}, without("cluster")), HasSubstr("\"cluster\""));
  EXPECT_THAT(record_fault_after(without("services")), HasSubstr("\"record.services\""));
  EXPECT_THAT(record_fault_after([](auto& record) { record["services"][1]["name"] = 7; }),
              HasSubstr("\"record.services[1].name\": expected text, found integer 7"));
}

TEST(RegistryMessage, ARecordThatIsNotCanonicalIsNotRead) {
  const auto set = [](const char* field, nlohmann::json value) {
    return [=](nlohmann::json& record) { record[field] = value; };
  };
  const auto set_service = [](const char* field, nlohmann::json value) {
    return [=](nlohmann::json& record) { record["services"][1][field] = value; };
  };
  EXPECT_THAT(record_fault_after(set("name", "local")), HasSubstr("name of a node"));
  EXPECT_THAT(record_fault_after(set("name", "a b")), HasSubstr("found \"a b\""));
  EXPECT_THAT(record_fault_after(set("name", "a\nb")), HasSubstr("found \"a?b\"")) << "fit for a log";
  EXPECT_THAT(record_fault_after(set("incarnation", 0)), HasSubstr("incarnation"));
  EXPECT_THAT(record_fault_after(set("incarnation", kMaxIncarnation + 1)), HasSubstr("incarnation"));
  EXPECT_THAT(record_fault_after(set("version", 0)), HasSubstr("version"));
  EXPECT_THAT(record_fault_after(set("call_address", "")), HasSubstr("address for calls"));
  EXPECT_THAT(record_fault_after(set("call_address", "tcp://" + std::string(251, 'a'))), HasSubstr("at most 256"));
  EXPECT_THAT(record_fault_after(set("registry_address", "127.0.0.1:1")), HasSubstr("address of the registry"));
  EXPECT_THAT(record_fault_after(set("registry_address", "tcp://a b:1")), HasSubstr("address of the registry"));
  EXPECT_THAT(record_fault_after(set_service("name", "Spell")), HasSubstr("name of a service"));
  EXPECT_THAT(record_fault_after(set_service("router", "")), HasSubstr("router of spell"));
  EXPECT_THAT(record_fault_after(set_service("timeout_ms", 86'400'001)), HasSubstr("timeout of spell"));
  EXPECT_THAT(record_fault_after(set_service("name", "count")), HasSubstr("found count behind count"));
  EXPECT_THAT(record_fault_after(set_service("name", "add")), HasSubstr("in the order of their names"));
  EXPECT_EQ(record_fault_after(set("call_address", "tcp://" + std::string(250, 'a'))), "nothing");
}

TEST(RegistryMessage, CountsAndTextsAreBounded) {
  NodeRecord big = record();
  big.services.clear();
  for (std::size_t i = 0; i <= kMaxServices; ++i) {
    std::string number = std::to_string(i);
    big.services.push_back({.name = "s" + std::string(6 - number.size(), '0') + number, .router = "r"});
  }
  EXPECT_THAT(fault_after(Announce{big}, [](auto&) {}), HasSubstr("services: expected at most 100000, found 100001"));
  big.services.pop_back();
  EXPECT_EQ(round_trip(Announce{big}).record.services.size(), kMaxServices);

  const std::vector<PeerAddress> crowd(kMaxPeers + 1, {"beta", 7, "tcp://b:1"});
  EXPECT_THAT(fault_after(Peers{crowd}, [](auto&) {}), HasSubstr("peers: expected at most 10000, found 10001"));
  EXPECT_THAT(fault_after(Refused{"x", std::string(1'025, 'x'), 0}, [](auto&) {}), HasSubstr("at most 1024"));
  EXPECT_THAT(fault_after(Hello{1, 0, std::string(1'025, 'x'), record()}, [](auto&) {}), HasSubstr("at most 1024"));
  EXPECT_THROW(decode(std::vector<std::uint8_t>(kMaxMessage + 1)), BadMessage);
}

TEST(RegistryMessage, PeersAreChecked) {
  EXPECT_THAT(fault_after(Peers{{{"b c", 7, "tcp://b:1"}}}, [](auto&) {}), HasSubstr("name of a node"));
  EXPECT_THAT(fault_after(Peers{{{"b", 7, "b:1"}}}, [](auto&) {}), HasSubstr("address of peer b"));
  EXPECT_THAT(fault_after(Goodbye{"local", 7}, [](auto&) {}), HasSubstr("name of a node"));
  EXPECT_THAT(fault_after(Heartbeat{"b", kMaxIncarnation + 1, 1, 1}, [](auto&) {}), HasSubstr("incarnation"));
}

TEST(RegistryMessage, ACountThatLiesDoesNotAllocate) {
  // {"type": "peers", "peers": an array of 2^60}
  const std::vector<std::uint8_t> bytes{0xA2, 0x64, 't', 'y', 'p',  'e',  0x65, 'p', 'e', 'e', 'r', 's', 0x65, 'p',
                                        'e',  'e',  'r', 's', 0x9B, 0x10, 0,    0,   0,   0,   0,   0,   0,    0x00};
  EXPECT_THROW(decode(bytes), BadMessage);
}

}  // namespace
}  // namespace busbar::registry::wire
