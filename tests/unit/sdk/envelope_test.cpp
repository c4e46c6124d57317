#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <busbar/wire/envelope.hpp>

#include <limits>
#include <string>
#include <vector>

namespace busbar::wire {
namespace {

using ::testing::HasSubstr;
using Octets = std::vector<std::uint8_t>;

Octets written(const Envelope& envelope) {
  cbor::ByteSink sink;
  write_envelope(sink, envelope);
  return sink.take();
}

Octets from_hex(std::string_view hex) {
  Octets out;
  std::string digits;
  for (const char c : hex) {
    if (c == ' ') continue;
    digits += c;
    if (digits.size() == 2) {
      out.push_back(static_cast<std::uint8_t>(std::stoul(digits, nullptr, 16)));
      digits.clear();
    }
  }
  return out;
}

std::string to_hex(const Octets& bytes) {
  std::string out;
  for (const std::uint8_t byte : bytes) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

// The one envelope of a frame.
Envelope read(const Octets& bytes) {
  Bytes frame(bytes);
  const Envelope envelope = read_envelope(frame);
  EXPECT_TRUE(frame.empty());
  return envelope;
}

// What reading says of bytes that are no envelope.
std::string complaint(const Octets& bytes) {
  Bytes frame(bytes);
  try {
    read_envelope(frame);
  } catch (const MalformedPayload& malformed) {
    EXPECT_EQ(frame.size(), bytes.size()) << "an envelope that could not be read was taken off the frame";
    return malformed.what();
  }
  return "nothing";
}
std::string complaint(std::string_view hex) { return complaint(from_hex(hex)); }

// Every field of both, one by one; gives the name of the first that differs.
std::string difference(const Envelope& left, const Envelope& right) {
  std::vector<std::string> one, other;
  const auto note = [](std::vector<std::string>& to, const auto& field) {
    using Field = std::remove_cvref_t<decltype(field)>;
    if constexpr (std::is_same_v<Field, Bytes>) {
      to.emplace_back(field.begin(), field.end());
    } else if constexpr (std::is_same_v<Field, std::string_view>) {
      to.emplace_back(field);
    } else {
      to.push_back(std::to_string(static_cast<std::int64_t>(field)));
    }
  };
  std::vector<std::string> names;
  const auto all = [&](std::vector<std::string>& to) {
    return [&](unsigned, const char* name, const auto& field, const auto&... present) {
      names.emplace_back(name);
      note(to, field);
      (note(to, present), ...);
      if (sizeof...(present) != 0) names.emplace_back(std::string("presence of ") + name);
    };
  };
  auto first = all(one);
  detail::visit_fields(left, first);
  auto second = all(other);
  detail::visit_fields(right, second);
  for (std::size_t i = 0; i < one.size(); ++i) {
    if (one[i] != other[i]) return names[i];
  }
  return {};
}

Envelope of_type(EnvelopeType type, std::uint64_t attempt = 0) {
  Envelope envelope;
  envelope.type = type;
  envelope.major = kCallProtocolMajor;
  envelope.attempt = attempt;
  return envelope;
}

// An envelope with something in every field, each different from its neighbours.
class FullEnvelope {
 public:
  FullEnvelope() : envelope(of_type(EnvelopeType::request, 1)) { detail::visit_fields(envelope, *this); }

  void operator()(unsigned key, const char* name, std::string_view& text) { text = texts_[key] = name; }
  void operator()(unsigned key, const char* name, Bytes& bytes) {
    texts_[key] = name;
    bytes = {reinterpret_cast<const std::uint8_t*>(texts_[key].data()), texts_[key].size()};
  }
  void operator()(unsigned key, const char* name, Bytes& bytes, bool& present) {
    (*this)(key, name, bytes);
    present = true;
  }
  void operator()(unsigned, const char*, bool& value) { value = true; }
  void operator()(unsigned, const char*, Role& role) { role = Role::node; }
  void operator()(unsigned, const char*, EnvelopeType&) {}
  void operator()(unsigned key, const char* name, std::uint8_t& value) {
    value = std::string_view(name) == "dry_run" ? 2 : static_cast<std::uint8_t>(key);
  }
  void operator()(unsigned key, const char*, std::uint32_t& value) { value = key < 3 ? value : key; }
  void operator()(unsigned key, const char*, std::uint64_t& value) { value = key; }
  void operator()(unsigned key, const char*, std::int64_t& value) { value = -std::int64_t{key}; }
  void operator()(unsigned key, const char* name, std::int64_t& value, bool& present) {
    (*this)(key, name, value);
    present = true;
  }

  Envelope envelope;

 private:
  std::string texts_[detail::kKeys];
};

// ---------------------------------------------------------------------------------------------------- round trips

TEST(Envelope, OfEachTypeComesBackWithItsTypeAttemptAndVersion) {
  for (int type = 1; type <= static_cast<int>(EnvelopeType::closing); ++type) {
    const Envelope sent = of_type(static_cast<EnvelopeType>(type), 7);
    EXPECT_EQ(difference(read(written(sent)), sent), "") << type;
  }
}

TEST(Envelope, ComesBackWithEveryField) {
  const FullEnvelope full;
  EXPECT_EQ(difference(read(written(full.envelope)), full.envelope), "");
}

TEST(Envelope, ComesBackWithEachFieldAlone) {
  // So that no field rides on another, or takes another's key.
  for (unsigned wanted = 3; wanted < detail::kKeys; ++wanted) {
    const FullEnvelope full;
    Envelope alone = full.envelope;
    const auto clear_others = [&](unsigned key, const char*, auto& field, auto&... present) {
      if (key < 3 || key == wanted) return;
      field = {};
      ((present = {}), ...);
    };
    detail::visit_fields(alone, clear_others);
    const Octets bytes = written(alone);
    EXPECT_EQ(difference(read(bytes), alone), "") << wanted;
    EXPECT_EQ(bytes[0], 0xA4) << wanted;
  }
}

TEST(Envelope, KeepsNumbersAtTheirLimits) {
  Envelope sent = of_type(EnvelopeType::answer, std::numeric_limits<std::uint64_t>::max());
  sent.incarnation = sent.max_message = sent.remaining_us = sent.answer_attempt = sent.attempt;
  sent.minor = sent.timeout_ms = std::numeric_limits<std::uint32_t>::max();
  sent.kind = 255;
  sent.has_version = true;
  for (const std::int64_t version : {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max(),
                                     std::int64_t{-1}, std::int64_t{0}, std::int64_t{23}, std::int64_t{24}}) {
    sent.version = sent.invoked_at_us = version;
    EXPECT_EQ(difference(read(written(sent)), sent), "") << version;
  }
}

TEST(Envelope, KeepsTextsAndBytesAroundEveryLengthOfAHead) {
  for (const std::size_t size : {1u, 23u, 24u, 255u, 256u, 65535u, 65536u, 1u << 20}) {
    const std::string text(size, 't');
    const Octets bytes(size, 0xFF);
    Envelope sent = of_type(EnvelopeType::request, size);
    sent.service = sent.warning = text;
    sent.raw_request = sent.body = bytes;
    EXPECT_EQ(difference(read(written(sent)), sent), "") << size;
  }
}

TEST(Envelope, KeepsTextBeyondAscii) {
  Envelope sent = of_type(EnvelopeType::refused);
  sent.text = "der Cluster heißt „übung“ 🚌";
  EXPECT_EQ(read(written(sent)).text, sent.text);
}

TEST(Envelope, TellsAssignsThatBecameEmptyFromThoseThatStayed) {
  Envelope sent = of_type(EnvelopeType::answer, 1);
  EXPECT_FALSE(read(written(sent)).has_assigns);
  sent.has_assigns = true;
  EXPECT_TRUE(read(written(sent)).has_assigns);
  EXPECT_TRUE(read(written(sent)).assigns.empty());
}

TEST(Envelope, TellsVersionZeroFromNoVersion) {
  Envelope sent = of_type(EnvelopeType::answer, 1);
  EXPECT_FALSE(read(written(sent)).has_version);
  sent.has_version = true;
  EXPECT_TRUE(read(written(sent)).has_version);
}

TEST(Envelope, LeavesOutWhatIsEmpty) { EXPECT_EQ(to_hex(written(of_type(EnvelopeType::cancel))), "a200070101"); }

TEST(Envelope, GoesBehindWhatTheSinkHolds) {
  cbor::ByteSink sink;
  sink.append("abc", 3);
  write_envelope(sink, FullEnvelope().envelope);
  EXPECT_EQ(std::memcmp(sink.data(), "abc", 3), 0);
  Bytes frame = sink.bytes().subspan(3);
  EXPECT_EQ(difference(read_envelope(frame), FullEnvelope().envelope), "");
}

TEST(Envelope, FitsIntoABufferThatGrowsOnlyAsAsked) {
  static std::uint8_t memory[4096];
  static std::size_t asked;
  busbar_buffer buffer{};
  buffer.data = memory;
  buffer.grow = [](busbar_buffer* self, std::size_t capacity) {
    if (capacity > sizeof memory) return -1;
    asked = self->capacity = capacity;
    return 0;
  };
  const FullEnvelope full;
  cbor::ByteSink sink(buffer);
  write_envelope(sink, full.envelope);
  Bytes frame = sink.bytes();
  EXPECT_LE(frame.size(), asked);
  EXPECT_EQ(difference(read_envelope(frame), full.envelope), "");

  const std::size_t before = sink.size();
  const Octets large(sizeof memory);
  Envelope too_large = full.envelope;
  too_large.body = large;
  EXPECT_THROW(write_envelope(sink, too_large), std::bad_alloc);
  EXPECT_EQ(sink.size(), before);
}

// --------------------------------------------------------------------------------------------------------- bundles

TEST(Envelope, AreReadOneAfterTheOtherFromABundle) {
  cbor::ByteSink sink;
  for (std::uint64_t attempt = 1; attempt <= 100; ++attempt)
    write_envelope(sink, of_type(EnvelopeType::cancel, attempt));
  Bytes frame = sink.bytes();
  for (std::uint64_t attempt = 1; attempt <= 100; ++attempt) EXPECT_EQ(read_envelope(frame).attempt, attempt);
  EXPECT_TRUE(frame.empty());
}

TEST(Envelope, BeforeRubbishIsReadAndTheRubbishIsNot) {
  Octets bytes = written(of_type(EnvelopeType::cancel, 5));
  bytes.push_back(0x00);
  Bytes frame(bytes);
  EXPECT_EQ(read_envelope(frame).attempt, 5u);
  EXPECT_THROW(read_envelope(frame), MalformedPayload);
  EXPECT_EQ(frame.size(), 1u);
}

// ------------------------------------------------------------------------------------------------ what is not known

TEST(Envelope, PassesOverUnknownKeysWhateverTheyHold) {
  for (const char* item : {"05",
                           "1bffffffffffffffff",
                           "3903e7",
                           "6161",
                           "4101",
                           "5f41014102ff",
                           "7f61616162ff",
                           "80",
                           "8301820203f6",
                           "9f01ff",
                           "a0",
                           "a1616101",
                           "a2010203a10405",
                           "bf0102ff",
                           "a2010a010b",
                           "c001",
                           "d9d9f7c001",
                           "f4",
                           "f7",
                           "f97e00",
                           "fb3ff199999999999a",
                           "f8ff",
                           "a1f40a"}) {
    const Octets bytes = from_hex("a5 0007 0101 185a " + std::string(item) + " 0205 1b00000001000000ff " + item);
    EXPECT_EQ(read(bytes).attempt, 5u) << item;
  }
}

TEST(Envelope, BearsManyUnknownKeys) {
  Octets bytes = from_hex("b9 c352 0007 0101");
  for (int i = 0; i < 50000; ++i) bytes.insert(bytes.end(), {0x18, 0x63, 0xF6});
  EXPECT_EQ(read(bytes).type, EnvelopeType::cancel);
}

TEST(Envelope, OfAnUnknownTypeIsNone) {
  EXPECT_EQ(read(from_hex("a3 000b 0101 0209")).type, EnvelopeType::none);
  EXPECT_EQ(read(from_hex("a3 001bffffffffffffffff 0101 0209")).attempt, 9u);
}

TEST(Envelope, OfAnotherMajorIsReadAsFarAsItCanBe) {
  // The service is a number there, the role a 9, and the text still the text.
  const Octets bytes = from_hex("a6 0003 0102 0204 038201a10203 1662686f 181b09");
  const Envelope envelope = read(bytes);
  EXPECT_EQ(envelope.type, EnvelopeType::refused);
  EXPECT_EQ(envelope.major, 2u);
  EXPECT_EQ(envelope.attempt, 4u);
  EXPECT_EQ(envelope.service, "");
  EXPECT_EQ(envelope.text, "ho");
  EXPECT_EQ(envelope.role, Role::client);
}

TEST(Envelope, OfAnotherMajorMustStillSayWhatItIs) {
  EXPECT_THAT(complaint("a3 0003 0102 02f6"), HasSubstr("key 2 (attempt)"));
  EXPECT_THAT(complaint("a3 0003 0102 0341"), HasSubstr("larger than what is left"));
}

TEST(Envelope, IsReadInAnyOrderOfItsKeys) {
  EXPECT_EQ(difference(read(from_hex("a6 1827 4101 15 616e 03 6173 02 07 01 01 00 04")),
                       read(from_hex("a6 00 04 01 01 02 07 03 6173 15 616e 1827 4101"))),
            "");
}

TEST(Envelope, IsReadFromAMapOfUnknownLength) { EXPECT_EQ(read(from_hex("bf 0007 0101 0205 ff")).attempt, 5u); }

// ------------------------------------------------------------------------------------------------------- bad input

TEST(Envelope, ThatIsNoneIsRefusedInWords) {
  EXPECT_THAT(complaint(""), HasSubstr("could not read the envelope: it ends where an item was expected"));
  for (const char* item : {"00", "6161", "80", "f6", "f97c00", "4100"}) {
    EXPECT_THAT(complaint(item), HasSubstr("it is no map")) << item;
  }
  EXPECT_THAT(complaint("a0"), HasSubstr("no type (key 0)"));
  EXPECT_THAT(complaint("a1 0007"), HasSubstr("no major version (key 1)"));
  EXPECT_THAT(complaint("a1 0101"), HasSubstr("no type (key 0)"));
  EXPECT_THAT(complaint("a1 6161 01"), HasSubstr("a key is no unsigned integer"));
  EXPECT_THAT(complaint("a1 20 01"), HasSubstr("a key is no unsigned integer"));
  EXPECT_THAT(complaint("1c"), HasSubstr("a head that CBOR does not know"));
}

TEST(Envelope, WithAKeyTwiceIsRefused) {
  EXPECT_THAT(complaint("a3 0007 0101 0007"), HasSubstr("key 0 comes twice"));
  EXPECT_THAT(complaint("a4 0007 0101 18274101 18274101"), HasSubstr("key 39 comes twice"));
}

TEST(Envelope, WithAValueOfTheWrongKindIsRefusedNamingTheField) {
  const struct {
    const char* field;
    const char* says;
  } kRows[] = {
      {"03 01", "key 3 (service) is not what was expected: text"},
      {"03 4161", "key 3 (service)"},
      {"03 7f6161ff", "text in one piece"},
      {"03 c06161", "key 3 (service)"},
      {"08 6161", "key 8 (raw_request) is not what was expected: bytes"},
      {"08 5f4101ff", "bytes in one piece"},
      {"02 20", "key 2 (attempt) is not what was expected: an unsigned integer"},
      {"02 f90000", "key 2 (attempt)"},
      {"06 1b8000000000000000", "key 6 (invoked_at_us) is not what was expected: an integer of 64 bits"},
      {"06 3b8000000000000000", "key 6 (invoked_at_us)"},
      {"10 03", "key 16 (dry_run)"},
      {"10 190100", "key 16 (dry_run)"},
      {"11 190100", "key 17 (kind) is not what was expected: an unsigned integer of 8 bits"},
      {"1818 1b0000000100000000", "key 24 (minor) is not what was expected: an unsigned integer of 32 bits"},
      {"181b 02", "key 27 (role) is not what was expected: 0 (client) or 1 (node)"},
      {"181e 01", "key 30 (authorize_only) is not what was expected: true or false"},
      {"181e f6", "key 30 (authorize_only)"},
  };
  for (const auto& row : kRows) {
    EXPECT_THAT(complaint("a3 0007 0101 " + std::string(row.field)), HasSubstr(row.says)) << row.field;
  }
  EXPECT_THAT(complaint("a2 0061 61 0101"), HasSubstr("key 0 (type)"));
  EXPECT_THAT(complaint("a2 0007 0161 61"), HasSubstr("key 1 (major)"));
}

TEST(Envelope, WithTextThatIsNotUtf8IsRefused) {
  for (const char* text : {"61ff", "62c080", "63eda080", "61c3"}) {
    EXPECT_THAT(complaint("a3 0007 0101 03 " + std::string(text)), HasSubstr("not valid UTF-8")) << text;
  }
}

TEST(Envelope, NestedTooDeepInAnUnknownKeyIsRefused) {
  const auto nested = [](std::size_t depth, const char* opening, const char* innermost) {
    std::string hex = "a3 0007 0101 185a";
    for (std::size_t i = 0; i < depth; ++i) hex += opening;
    return from_hex(hex + innermost);
  };
  EXPECT_EQ(complaint(nested(63, "81", "01")), "nothing");
  EXPECT_EQ(complaint(nested(63, "a101", "01")), "nothing");
  for (const char* opening : {"81", "9f", "a101", "bf01", "c0"}) {
    EXPECT_THAT(complaint(nested(64, opening, "01")), HasSubstr("nested deeper than 64")) << opening;
    EXPECT_THAT(complaint(nested(100000, opening, "01")), HasSubstr("nested deeper than 64")) << opening;
  }
}

TEST(Envelope, CutOffAnywhereIsRefused) {
  const Octets whole = written(FullEnvelope().envelope);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(complaint(Octets(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))),
                HasSubstr("could not read the envelope"))
        << size;
  }
}

TEST(Envelope, WithALengthBeyondItsBytesIsRefused) {
  for (const char* field : {"03 7b7fffffffffffffff", "08 5bffffffffffffffff", "185a 9bffffffffffffffff",
                            "185a bb7fffffffffffffff", "08 5a00000002 01"}) {
    EXPECT_THAT(complaint("a3 0007 0101 " + std::string(field)), HasSubstr("larger than what is left")) << field;
  }
  EXPECT_THAT(complaint("bbffffffffffffffff 0007 0101"), HasSubstr("larger than what is left"));
}

TEST(Envelope, WithABreakInTheWrongPlaceIsRefused) {
  EXPECT_NE(complaint("bf 0007 0101 02 ff"), "nothing");
  EXPECT_NE(complaint("a2 0007 ff 0101"), "nothing");
  EXPECT_THAT(complaint("a3 0007 0101 185a bf01ff"), HasSubstr("a break stands"));
}

TEST(Envelope, WithAnyByteChangedIsReadOrRefused) {
  const Octets whole = written(FullEnvelope().envelope);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const int value : {0x00, 0x1B, 0x3B, 0x5B, 0x7B, 0x9B, 0xBB, 0xDB, 0xFB, 0x5F, 0x7F, 0x9F, 0xBF, 0xFF}) {
      Octets changed = whole;
      changed[i] = static_cast<std::uint8_t>(value);
      complaint(changed);  // must return; the sanitizers watch
    }
  }
}

// ---------------------------------------------------------------------------------------------------- golden bytes

const Octets kPayload = {0xA1, 0x61, 0x61, 0x01};

struct Golden {
  const char* bytes;
  Envelope envelope;
};

// What other implementations send. Whoever changes these bytes breaks every peer that is not rebuilt.
std::vector<Golden> golden() {
  std::vector<Golden> out;
  out.reserve(16);  // references to its rows are held
  const auto add = [&](const char* bytes, EnvelopeType type, std::uint64_t attempt) -> Envelope& {
    out.push_back({bytes, of_type(type, attempt)});
    return out.back().envelope;
  };

  Envelope& hello = add("a80001010115626e3118180318196163181a1903e8181b01181c1a00010000", EnvelopeType::hello, 0);
  hello.minor = 3;
  hello.cluster = "c";
  hello.node = "n1";
  hello.incarnation = 1000;
  hello.role = Role::node;
  hello.max_message = 65536;

  Envelope& welcome = add("a70002010115626e3218196163181a01181b01181c1a00010000", EnvelopeType::welcome, 0);
  welcome.cluster = "c";
  welcome.node = "n2";
  welcome.incarnation = 1;
  welcome.role = Role::node;
  welcome.max_message = 65536;

  Envelope& refused = add("a4000301011267636c757374657216626e6f", EnvelopeType::refused, 0);
  refused.name = "cluster";
  refused.text = "no";

  Envelope& request =
      add("b1000401010218180365677265657404626d3105626e31061b00060a24181e4000071a004c4b400844a161610109626d300a626d320b"
          "44a16161010c44a16161010d44a16161010e44a16161010f44a16161011002",
          EnvelopeType::request, 24);
  request.service = "greet";
  request.message_id = "m1";
  request.correlation_id = "m0";
  request.causation_id = "m2";
  request.origin_node = "n1";
  request.invoked_at_us = 1'700'000'000'000'000;
  request.dry_run = 2;
  request.remaining_us = 5'000'000;
  request.raw_request = request.request = request.logger_metadata = request.aggregate_meta = kPayload;
  request.assigns = request.events = kPayload;
  request.has_assigns = true;

  Envelope& asked = add("a8000401010218190365677265657404626d31181d626e32181ef5181ff5", EnvelopeType::request, 25);
  asked.service = "greet";
  asked.message_id = "m1";
  asked.only_node = "n2";
  asked.authorize_only = asked.halted_invalid = true;

  Envelope& handed_on =
      add("a80004010102181a036567726565741820f51821626e33182202182319012c", EnvelopeType::request, 26);
  handed_on.service = "greet";
  handed_on.is_forwarded = true;
  handed_on.answer_to = "n3";
  handed_on.answer_to_incarnation = 2;
  handed_on.answer_attempt = 300;

  Envelope& answer =
      add("aa000501010218180b44a16161010f44a1616101110113201444a161610115626e3218266177", EnvelopeType::answer, 24);
  answer.kind = 1;
  answer.has_version = true;
  answer.version = -1;
  answer.value = answer.assigns = answer.events = kPayload;
  answer.has_assigns = true;
  answer.node = "n2";
  answer.warning = "w";

  Envelope& failed =
      add("a9000501010218181107126a6f7665726c6f6164656416617417616418241913881825f5", EnvelopeType::answer, 24);
  failed.kind = 7;
  failed.name = "overloaded";
  failed.text = "t";
  failed.detail = "d";
  failed.timeout_ms = 5000;
  failed.unstarted = true;

  Envelope& forwarded = add("a50006010102181815626e33181a02", EnvelopeType::forwarded, 24);
  forwarded.node = "n3";
  forwarded.incarnation = 2;

  add("a300070101021818", EnvelopeType::cancel, 24);
  add("a400080101021818182744a1616101", EnvelopeType::query, 24).body = kPayload;
  add("a400090101021818182744a1616101", EnvelopeType::document, 24).body = kPayload;
  return out;
}

TEST(Envelope, IsWrittenAndReadAsEver) {
  for (const Golden& row : golden()) {
    EXPECT_EQ(to_hex(written(row.envelope)), row.bytes);
    EXPECT_EQ(difference(read(from_hex(row.bytes)), row.envelope), "") << row.bytes;
  }
}

}  // namespace
}  // namespace busbar::wire
