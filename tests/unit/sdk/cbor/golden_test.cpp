// Bytes that other implementations write: RFC 8949, appendix A.
#include <cmath>
#include <map>

#include "unit/sdk/cbor/support.hpp"

namespace busbar {
namespace {

using namespace busbar::testing;

struct Example {
  const char* bytes;
  const char* json;
};

/// Those that JSON can say, as JSON.
const Example kExamples[] = {
    {"00", "0"},
    {"01", "1"},
    {"0a", "10"},
    {"17", "23"},
    {"18 18", "24"},
    {"18 19", "25"},
    {"18 64", "100"},
    {"19 03e8", "1000"},
    {"1a 000f4240", "1000000"},
    {"1b 000000e8d4a51000", "1000000000000"},
    {"1b ffffffffffffffff", "18446744073709551615"},
    {"20", "-1"},
    {"29", "-10"},
    {"38 63", "-100"},
    {"39 03e7", "-1000"},
    {"f9 0000", "0.0"},
    {"f9 8000", "-0.0"},
    {"f9 3c00", "1.0"},
    {"fb 3ff199999999999a", "1.1"},
    {"f9 3e00", "1.5"},
    {"f9 7bff", "65504.0"},
    {"fa 47c35000", "100000.0"},
    {"fa 7f7fffff", "3.4028234663852886e+38"},
    {"fb 7e37e43c8800759c", "1e+300"},
    {"f9 0001", "5.960464477539063e-08"},
    {"f9 0400", "6.103515625e-05"},
    {"f9 c400", "-4.0"},
    {"fb c010666666666666", "-4.1"},
    {"f4", "false"},
    {"f5", "true"},
    {"f6", "null"},
    {"f7", "null"},
    {"c0 74 323031332d30332d32315432303a30343a30305a", R"("2013-03-21T20:04:00Z")"},
    {"c1 1a 514b67b0", "1363896240"},
    {"c1 fb 41d452d9ec200000", "1363896240.5"},
    {"d7 44 01020304", R"({"$bytes":"AQIDBA=="})"},
    {"d8 18 45 6449455446", R"({"$bytes":"ZElFVEY="})"},
    {"40", R"({"$bytes":""})"},
    {"44 01020304", R"({"$bytes":"AQIDBA=="})"},
    {"60", R"("")"},
    {"61 61", R"("a")"},
    {"62 225c", R"("\"\\")"},
    {"62 c3bc", R"("ü")"},
    {"63 e6b0b4", R"("水")"},
    {"64 f0908591", R"("𐅑")"},
    {"80", "[]"},
    {"83 01 02 03", "[1,2,3]"},
    {"83 01 82 02 03 82 04 05", "[1,[2,3],[4,5]]"},
    {"98 19 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11 12 13 14 15 16 17 18 18 18 19",
     "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25]"},
    {"a0", "{}"},
    {"a2 61 61 01 61 62 82 02 03", R"({"a":1,"b":[2,3]})"},
    {"82 61 61 a1 61 62 61 63", R"(["a",{"b":"c"}])"},
    {"a5 61 61 61 41 61 62 61 42 61 63 61 43 61 64 61 44 61 65 61 45", R"({"a":"A","b":"B","c":"C","d":"D","e":"E"})"},
    {"5f 42 0102 43 030405 ff", R"({"$bytes":"AQIDBAU="})"},
    {"7f 65 7374726561 64 6d696e67 ff", R"("streaming")"},
    {"9f ff", "[]"},
    {"9f 01 82 02 03 9f 04 05 ff ff", "[1,[2,3],[4,5]]"},
    {"9f 01 82 02 03 82 04 05 ff", "[1,[2,3],[4,5]]"},
    {"83 01 82 02 03 9f 04 05 ff", "[1,[2,3],[4,5]]"},
    {"bf 61 61 01 61 62 9f 02 03 ff ff", R"({"a":1,"b":[2,3]})"},
    {"82 61 61 bf 61 62 61 63 ff", R"(["a",{"b":"c"}])"},
    {"bf 63 46756e f5 63 416d74 21 ff", R"({"Amt":-2,"Fun":true})"},
};

TEST(CborGolden, TheExamplesOfTheRfcRead) {
  for (const Example& example : kExamples) {
    EXPECT_NO_THROW(cbor::check_well_formed(hex(example.bytes))) << example.bytes;
    EXPECT_EQ(cbor::to_json(hex(example.bytes)).dump(), example.json) << example.bytes;
  }
}

TEST(CborGolden, TheExamplesInTheirShortestFormAreWhatWeWrite) {
  for (const char* bytes : {"00",
                            "17",
                            "18 18",
                            "18 64",
                            "19 03e8",
                            "1a 000f4240",
                            "1b 000000e8d4a51000",
                            "1b ffffffffffffffff",
                            "20",
                            "38 63",
                            "39 03e7",
                            "fb 3ff199999999999a",
                            "f4",
                            "f5",
                            "f6",
                            "44 01020304",
                            "60",
                            "62 225c",
                            "64 f0908591",
                            "80",
                            "83 01 82 02 03 82 04 05",
                            "a0",
                            "a2 61 61 01 61 62 82 02 03",
                            "82 61 61 a1 61 62 61 63"}) {
    EXPECT_EQ(cbor::from_json(cbor::to_json(hex(bytes))), hex(bytes)) << bytes;
    EXPECT_EQ(cbor::from_json_text(cbor::to_json(hex(bytes)).dump()), hex(bytes)) << bytes;
  }
}

TEST(CborGolden, TheExamplesThatJsonCannotSayAreWellFormed) {
  for (const char* bytes :
       {"f9 7c00", "f9 7e00", "f9 fc00", "fa 7f800000", "fb 7ff8000000000000", "f0", "f8 ff", "3b ffffffffffffffff"}) {
    EXPECT_NO_THROW(cbor::check_well_formed(hex(bytes))) << bytes;
    EXPECT_THROW(cbor::to_json(hex(bytes)), NotJson) << bytes;
  }
  EXPECT_TRUE(std::isnan(decoded<double>(hex("f9 7e00"))));
  EXPECT_EQ(decoded<double>(hex("f9 fc00")), -HUGE_VAL);
}

TEST(CborGolden, KeysThatAreNotTextAreRefused) {
  EXPECT_THROW(cbor::check_well_formed(hex("a2 01 02 03 04")), MalformedPayload);
  EXPECT_THROW(cbor::check_well_formed(hex("a1 7f 61 61 ff 01")), MalformedPayload);
}

}  // namespace
}  // namespace busbar
