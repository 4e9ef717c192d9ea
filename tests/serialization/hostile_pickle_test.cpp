// Small files that ask for much.

#include "serialization/pickle.h"
#include "serialization/safetensors_header.h"
#include "support/errors.h"

#include <gtest/gtest.h>

#include <cstring>

namespace wf::testing {
namespace {

std::string text(const std::string& value) {
  const auto size = static_cast<uint32_t>(value.size());
  std::string out = "X";
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(size >> shift & 255);
  return out + value;
}

std::string repeated(const std::string& part, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += part;
  return out;
}

// A megabyte of text in the memo, recalled 20,000 times: 20 GB if each recall were a copy.
TEST(HostilePickle, CopiesOfLongTextAreCounted) {
  const std::string begin = "\x80\x04" + text(std::string(1'000'000, 'A')) + "q" + '\0' + "0";
  const std::string recall = std::string("h") + '\0';
  const std::string global = recall + recall + "\x93";
  for (const auto& part : {global + "0", global + ")R0", global + ")\x81" + "0"}) {
    const auto message = error_of([&] { pickle::read(begin + repeated(part, 20000) + "}.", "f"); });
    EXPECT_NE(message.find("more than a million values"), std::string::npos) << message;
  }
}

TEST(HostilePickle, WhatOldOpcodesCallIsRemembered) {
  const auto inst = pickle::read("(ios\nsystem\n.", "f");
  EXPECT_EQ(inst.calls.size(), 1u);
  const auto obj = pickle::read("(cos\nsystem\no.", "f");
  EXPECT_EQ(obj.calls.size(), 1u);
}

TEST(HostilePickle, ACallBehindManyHarmlessOnesIsRemembered) {
  std::string program = "(";
  for (int i = 0; i < 40; ++i) program += "cargs\nN" + std::to_string(i % 20) + "\n)R";
  program += "cos\nsystem\n)Rt.";
  const auto calls = pickle::read(program, "f").calls;
  ASSERT_EQ(calls.size(), 21u);
  EXPECT_EQ(calls.back().rfind("os.system at byte ", 0), 0u) << calls.back();
}

// Quadratic, it would take minutes.
TEST(HostileSafetensors, AHeaderOfManyTensorsTakesLinearTime) {
  std::string header = "{";
  for (int i = 0; i < 200'000; ++i) {
    header += (i ? ",\"t" : "\"t") + std::to_string(i) +
              R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  }
  header += "}";
  const uint64_t length = header.size();
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  EXPECT_EQ(parse_safetensors_header(file + header, "f").tensors.size(), 200'000u);
}

}  // namespace
}  // namespace wf::testing
