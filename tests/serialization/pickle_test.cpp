#include "serialization/pickle.h"

#include "weightformer/core/check.h"

#include <gtest/gtest.h>

#include <limits>

namespace wf::testing {
namespace {

using namespace std::string_literals;
using pickle::Document;
using pickle::Kind;

Document parse(const std::string& program) { return pickle::read(program, "f"); }

std::string error_of(const std::string& program) {
  try {
    parse(program);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Pickle, ReadsWhatPythonWritesForPlainValues) {
  // pickle.dumps([None, True, -3, 2**40, 1.5, "é", b"\xff", (1,), {"k": []}, {7}], p) for p = 0, 2
  // and 4.
  const std::string programs[] = {
      "(lp0\nNaI01\naI-3\naL1099511627776L\naF1.5\naV\xc3\xa9\np1\nac_codecs\nencode\np2\n("
      "V\xc3\xbf\n"
      "p3\nVlatin1\np4\ntp5\nRp6\na(I1\ntp7\na(dp8\nVk\np9\n(lp10\nsac__builtin__\nset\np11\n(("
      "lp12\n"
      "I7\natp13\nRp14\na.",
      "\x80\x02]q\x00(N\x88J\xfd\xff\xff\xff\x8a\x06\x00\x00\x00\x00\x00\x01G?\xf8\x00\x00\x00\x00"
      "\x00\x00X\x02\x00\x00\x00\xc3\xa9q\x01"
      "c_codecs\nencode\nq\x02X\x02\x00\x00\x00\xc3\xbfq\x03X\x06\x00\x00\x00latin1q\x04\x86q\x05"
      "Rq\x06K\x01\x85q\x07}q\x08X\x01\x00\x00\x00kq\t]q\nsc__builtin__\nset\nq\x0b]q\x0cK\x07"
      "a\x85q\rRq\x0e"
      "e."s,
      "\x80\x04\x95>\x00\x00\x00\x00\x00\x00\x00]\x94("
      "N\x88J\xfd\xff\xff\xff\x8a\x06\x00\x00\x00\x00"
      "\x00\x01G?\xf8\x00\x00\x00\x00\x00\x00\x8c\x02\xc3\xa9\x94"
      "C\x01\xff\x94K\x01\x85\x94}\x94"
      "\x8c\x01k\x94]\x94s\x8f\x94(K\x07\x90"
      "e."s};
  for (const auto& program : programs) {
    const auto document = parse(program);
    const auto& items = document.root->items;
    ASSERT_EQ(items.size(), 10u);
    EXPECT_TRUE(items[0]->is(Kind::none));
    EXPECT_TRUE(items[1]->is(Kind::boolean) && items[1]->integer == 1);
    EXPECT_EQ(items[2]->integer, -3);
    EXPECT_EQ(items[3]->integer, int64_t{1} << 40);
    EXPECT_EQ(items[4]->real, 1.5);
    EXPECT_EQ(items[5]->text, "é");
    EXPECT_TRUE(items[6]->is(Kind::bytes));
    EXPECT_TRUE(items[7]->is(Kind::tuple) && items[7]->items.size() == 1);
    ASSERT_TRUE(items[8]->find("k"));
    EXPECT_TRUE(items[8]->find("k")->is(Kind::list));
    EXPECT_TRUE(items[9]->is(Kind::set) && items[9]->items.at(0)->integer == 7);
  }
}

TEST(Pickle, WhatIsWrittenIsReadBack) {
  Document d;
  auto* root = d.make(Kind::dict);
  const int64_t integers[] = {0,
                              255,
                              256,
                              -1,
                              65536,
                              INT32_MIN,
                              int64_t{INT32_MAX} + 1,
                              std::numeric_limits<int64_t>::min()};
  auto* numbers = d.put(root, "numbers", d.make(Kind::list));
  for (const int64_t number : integers) numbers->items.push_back(d.of(number));
  d.put(root, "real", d.of(0.1));
  d.put(root, "text", d.of("über\n"));
  d.put(root, "none", d.none());
  d.put(root, "no", d.of(false));
  d.put(root, "empty", d.make(Kind::tuple));
  const auto back = parse(pickle::write(*root));
  for (size_t i = 0; i < std::size(integers); ++i) {
    EXPECT_EQ(back.root->find("numbers")->items.at(i)->integer, integers[i]);
  }
  EXPECT_EQ(back.root->find("real")->real, 0.1);
  EXPECT_EQ(back.root->find("text")->text, "über\n");
  EXPECT_TRUE(back.root->find("none")->is(Kind::none));
  EXPECT_TRUE(back.root->find("no")->is(Kind::boolean));
  EXPECT_TRUE(back.root->find("empty")->is(Kind::tuple));
}

TEST(Pickle, AnUnknownGlobalIsOpaqueAndItsCallIsRemembered) {
  const auto document = parse(
      "(lcposix\nsystem\n(Vtouch PWNED\ntRacargparse\nNamespace\n)\x81}b"
      "a.");
  const auto& items = document.root->items;
  ASSERT_EQ(items.size(), 2u);
  EXPECT_TRUE(items[0]->is(Kind::opaque));
  EXPECT_EQ(items[0]->text, "posix.system");
  EXPECT_EQ(items[1]->text, "argparse.Namespace");
  ASSERT_EQ(document.calls.size(), 1u);
  EXPECT_EQ(document.calls[0], "posix.system at byte 31");
}

// A tensor of `sizes` and strides (4, 1) in a storage of 8 floats.
std::string tensor(const std::string& offset, const std::string& sizes) {
  return "ctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nI8\ntQI" +
         offset + "\n(" + sizes + "t(I4\nI1\ntI00\nccollections\nOrderedDict\n)RtR.";
}

TEST(Pickle, ATensorIsDescribed) {
  const auto document = parse(tensor("0", "I2\nI4\n"));
  EXPECT_TRUE(document.root->is(Kind::tensor));
  EXPECT_EQ(document.root->sizes, (std::vector<int64_t>{2, 4}));
  EXPECT_EQ(document.root->strides, (std::vector<int64_t>{4, 1}));
  EXPECT_EQ(document.root->storage->text, "0");
}

TEST(Pickle, ATensorOfADtypeThatIsNotKnownIsNotTakenForItsBytes) {
  const auto v3 = [](const std::string& dtype) {
    return parse(
        "ctorch._utils\n_rebuild_tensor_v3\n((Vstorage\nctorch.storage\nUntypedStorage\n"
        "V0\nVcpu\nI8\ntQI0\n(I2\nt(I1\ntI00\nccollections\nOrderedDict\n)Rctorch\n" +
        dtype + "\ntR.");
  };
  EXPECT_TRUE(v3("uint8").root->is(Kind::tensor));
  EXPECT_TRUE(v3("float8_e4m3fn").root->is(Kind::opaque));
  EXPECT_EQ(v3("float8_e4m3fn").root->text, "tensor in torch.float8_e4m3fn");
}

TEST(Pickle, TextIsUnicode) {
  // Of one to four bytes, and half a surrogate pair, which Python writes too.
  for (const std::string text :
       {"a", "\xc3\xb6", "\xe9\x87\x8d", "\xf0\x9f\x98\x80", "\xed\xa0\x80"}) {
    const auto program = "\x8c" + std::string(1, static_cast<char>(text.size())) + text + ".";
    EXPECT_EQ(parse(program).root->text, text);
  }
}

TEST(Pickle, WhatIsMalformedGivesOneLine) {
  const std::string deep = std::string(200, ']') + std::string(199, 'a') + ".";
  std::string many = "(";
  for (int i = 0; i < 1'000'001; ++i) many += 'N';
  const std::pair<std::string, std::string> cases[] = {
      {"", "truncated"},
      {"X\x05\x00\x00\x00"
       "abc"s,
       "truncated"},
      {"X\xff\xff\xff\xff"
       "abc",
       "truncated"},
      {"\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
       "abc",
       "truncated"},
      {"\x8c\x02\xc3(.", "not UTF-8"},
      {"\x8c\x01\xe2.", "not UTF-8"},
      {"\x8c\x02\xc0\x80.", "not UTF-8"},
      {"\x8c\x04\xf4\x90\x80\x80.", "not UTF-8"},
      {"\x8c\x04\xf0\x80\x80\x80.", "not UTF-8"},
      {"cos\nsystem", "without an end"},
      {"0.", "nothing on the stack"},
      {"t.", "no mark"},
      {"(.", "nothing on the stack"},
      {"NN.", "left over"},
      {"h\x05.", "unknown memo slot"},
      {"\xff.", "opcode 255"},
      {"Ix\n.", "not an integer"},
      {"\x80\x09.", "protocol"},
      {"}(Nu.", "a key without a value"},
      {"}]Ns.", "unhashable key"},
      {"NNa.", "not a container"},
      {"]q\x00h\x00"
       "a."s,
       "contains itself"},
      {deep, "deeper than 100"},
      {many, "more than a million"},
      {"(Vstorage\ntQ.", "not a reference to a storage"},
      {tensor("-1", "I1\nI1\n"), "negative offset"},
      {tensor("0", "I3\nI4\n"), "outside its storage"},
      {tensor("1", "I2\nI4\n"), "outside its storage"},
      {tensor("0", "I9223372036854775807\nI2\n"), "outside its storage"},
      {tensor("0", "I-2\nI4\n"), "negative size"},
      {tensor("0", "I2\n"), "sizes and strides"},
  };
  for (const auto& [program, expected] : cases) {
    const auto message = error_of(program);
    EXPECT_NE(message.find(expected), std::string::npos)
        << "expected " << expected << ", got: " << message;
    EXPECT_EQ(message.rfind("f: at byte ", 0), 0u) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace wf::testing
