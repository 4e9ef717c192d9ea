#include "weightformer/serialization/safetensors.h"

#include "weightformer/core/check.h"

#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <filesystem>

namespace wf::testing {
namespace {

// The message of the error that reading a file of these bytes gives; "" when it gives none.
std::string reading_error(const std::string& bytes) {
  const TempDir folder;
  write_file(folder / "f.safetensors", bytes);
  try {
    read_safetensors(folder / "f.safetensors");
  } catch (const Error& error) {
    return std::string(error.what()).substr(folder.path().size() + 1);
  }
  return "";
}

std::string with_header(const std::string& header, const std::string& data = "") {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

TEST(Safetensors, WhatWasWrittenIsReadBackBitForBit) {
  const TempDir folder;
  Safetensors content;
  content.metadata["note"] = "über \"quotes\"\n";
  content.tensors["float"] = torch::randn({3, 4}).t();  // strided
  content.tensors["double"] = torch::randn({2}, torch::kDouble);
  content.tensors["bf16"] = torch::randn({5}).to(torch::kBFloat16);
  content.tensors["half"] = torch::randn({5}).to(torch::kHalf);
  content.tensors["long"] = torch::tensor({1, -2, 3}, torch::kLong);
  content.tensors["bool"] = torch::tensor({true, false});
  content.tensors["scalar"] = torch::tensor(2.5);
  content.tensors["empty"] = torch::empty({0, 4});
  write_safetensors(folder / "a.safetensors", content);

  const auto back = read_safetensors(folder / "a.safetensors");
  EXPECT_EQ(back.metadata, content.metadata);
  ASSERT_EQ(back.tensors.size(), content.tensors.size());
  for (const auto& [name, tensor] : content.tensors) {
    EXPECT_EQ(back.tensors.at(name).scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(torch::equal(back.tensors.at(name), tensor)) << name;
  }
}

TEST(Safetensors, AHeaderOfOddLengthIsRead) {
  const std::string header = R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} )";
  ASSERT_NE(header.size() % 4, 0u);
  const TempDir folder;
  const float value = 3.5f;
  write_file(folder / "f", with_header(header, {reinterpret_cast<const char*>(&value), 4}));
  EXPECT_EQ(read_safetensors(folder / "f").tensors.at("x").item<float>(), 3.5f);
}

TEST(Safetensors, ChangingATensorDoesNotChangeTheFile) {
  const TempDir folder;
  write_safetensors(folder / "a", {{{"x", torch::ones({4})}}, {}});
  read_safetensors(folder / "a").tensors.at("x").zero_();
  EXPECT_TRUE(torch::equal(read_safetensors(folder / "a").tensors.at("x"), torch::ones({4})));
}

TEST(Safetensors, ADamagedFileGivesOneClearLine) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "the file is empty"},
      {"hello", "only 5 bytes long"},
      {std::string("\xff\xff\xff\xff\xff\xff\xff\x3f") + "{}", "claims a header of"},
      {with_header("[1]"), "not a JSON object"},
      {with_header("{\"x\": "), "not a JSON object"},
      {with_header(std::string(100000, '[')), "nested deeper than 4 levels"},
      {with_header(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", "1234"),
       "tensor 'x': its data [0, 8) is outside"},
      {with_header(R"({"x":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", "12345678"),
       "tensor 'x': its shape needs 12 bytes"},
      {with_header(R"({"x":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}})", "12345678"),
       "unknown safetensors dtype 'F33', did you mean 'F32'"},
      {with_header(R"({"x":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", "12345678"),
       "shape must be"},
      {with_header(R"({"x":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})"),
       "the shape is too large"},
      {with_header(R"({"x":{"dtype":"F32","shape":[2]}})", "12345678"), "data_offsets"},
      {with_header(R"({"x":7})"), "tensor 'x'"},
      {with_header(std::string("{}\0x", 4)), "a zero byte in its header"},
      {with_header(R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                   R"("x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                   "1"),
       "a name is in its header twice"},
      {with_header(R"({"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                   R"("y":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                   "123"),
       "the data of its tensors overlap at byte 1"},
      {with_header(R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", "12"),
       "the data of its tensors have a gap at byte 0"},
      {with_header(R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "12"),
       "1 bytes of no tensor at its end"},
      {with_header(R"({"__metadata__":{"a":1}})"), "metadata 'a' must be a string"},
  };
  for (const auto& [bytes, expected] : cases) {
    const auto message = reading_error(bytes);
    EXPECT_NE(message.find(expected), std::string::npos) << "got: " << message;
    EXPECT_EQ(message.rfind("f.safetensors: ", 0), 0u) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

TEST(Safetensors, AFailedWriteLeavesNothingBehind) {
  const TempDir folder;
  EXPECT_THROW(write_safetensors(folder / "no/such/directory/x", {}), Error);
  EXPECT_THROW(
      write_safetensors(folder / "x", {{{"x", torch::ones({2}, torch::kComplexFloat)}}, {}}),
      Error);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace wf::testing
