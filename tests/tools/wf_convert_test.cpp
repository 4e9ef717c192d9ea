#include "weightformer/serialization/safetensors.h"
#include "weightformer/serialization/weights.h"

#include "core/zip_archive.h"
#include "serialization/tensor_file.h"
#include "support/all_tensors.h"
#include "support/golden.h"
#include "support/process.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <filesystem>

namespace wf::testing {
namespace {

Finished convert(const std::vector<std::string>& arguments) {
  std::vector<std::string> words{program("wf_convert")};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return run(words);
}

TEST(WfConvert, TakesTheWeightsOutOfAnyFormat) {
  const TempDir folder;
  for (const std::string name :
       {"published_trainer.pth", "legacy_not_zip.pth", "hub.safetensors"}) {
    for (const std::string out : {"w.pth", "w.safetensors"}) {
      const auto end =
          convert({golden_path("checkpoints/" + name), folder / out, "--weights-only"});
      ASSERT_EQ(end.code, 0) << end.err;
      const auto ours = read_weights(folder / out).tensors;
      const auto theirs = read_weights(golden_path("checkpoints/" + name)).tensors;
      ASSERT_EQ(ours.size(), theirs.size());
      for (const auto& [key, tensor] : theirs) EXPECT_TRUE(torch::equal(ours.at(key), tensor));
    }
  }
}

TEST(WfConvert, SafetensorsGetOnlyTheWeightsOfACheckpointWithALogLine) {
  const TempDir folder;
  const auto input = golden_path("checkpoints/published_trainer.pth");
  const auto end = convert({input, folder / "w.safetensors"});
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_NE(end.err.find(input + ": only its weights are written to " + (folder / "w.safetensors")),
            std::string::npos)
      << end.err;
  EXPECT_EQ(read_safetensors(folder / "w.safetensors").tensors.size(), 66u);
  const auto asked = convert({input, folder / "w.safetensors", "--weights-only"});
  EXPECT_EQ(asked.err, "") << "it was asked for";
  const auto plain =
      convert({golden_path("checkpoints/bare_state_dict.pth"), folder / "w.safetensors"});
  EXPECT_EQ(plain.err, "") << "there was nothing else";
}

TEST(WfConvert, AveragesTheWeightsOfSeveralFiles) {
  const TempDir folder;
  const auto write = [&](const std::string& name, float value, int64_t steps, int64_t size = 3) {
    const auto ramp = torch::arange(size, torch::kFloat);
    write_safetensors(folder / name, {{{"a", value * ramp},
                                       {"half", torch::full({2}, value, torch::kHalf)},
                                       {"steps", torch::full({1}, steps, torch::kLong)}},
                                      {},
                                      {}});
    return folder / name;
  };
  const auto a = write("a.safetensors", 1, 5), b = write("b.safetensors", 2, 5),
             c = write("c.safetensors", 6, 5), out = folder / "mean.safetensors";
  const auto end = convert({a, out, "--average", b, c});
  ASSERT_EQ(end.code, 0) << end.err;
  const auto mean = read_weights(out).tensors;
  EXPECT_TRUE(torch::equal(mean.at("a"), torch::tensor({0.f, 3.f, 6.f})));
  EXPECT_TRUE(torch::equal(mean.at("half"), torch::full({2}, 3, torch::kHalf)));
  EXPECT_TRUE(torch::equal(mean.at("steps"), torch::full({1}, 5, torch::kLong)));

  const std::pair<std::string, std::string> bad[] = {
      {write("steps.safetensors", 1, 6), "steps holds integers that differ"},
      {write("shape.safetensors", 1, 5, 4), "a is [3] in the first and [4] in the second"},
      {golden_path("checkpoints/hub.safetensors"), "only the first has a"}};
  for (const auto& [other, message] : bad) {
    const auto failed = convert({a, out, "--average", other});
    EXPECT_EQ(failed.code, 2);
    EXPECT_NE(failed.err.find(other + ": " + message), std::string::npos) << failed.err;
  }
}

TEST(WfConvert, ACheckpointStaysCompleteInPth) {
  const TempDir folder;
  const auto input = golden_path("checkpoints/published_trainer.pth");
  const auto end = convert({input, folder / "c.pth"});
  ASSERT_EQ(end.code, 0) << end.err;
  const auto ours = all_tensors(folder / "c.pth"), theirs = all_tensors(input);
  ASSERT_EQ(ours.size(), theirs.size());
  for (const auto& [name, tensor] : theirs)
    EXPECT_TRUE(torch::equal(ours.at(name), tensor)) << name;
  EXPECT_EQ(ours.count("optimizer.state.0.exp_avg"), 1u);
}

TEST(WfConvert, ListsWhatAFileHolds) {
  const auto end = convert({golden_path("checkpoints/published_trainer.pth"), "--list"});
  ASSERT_EQ(end.code, 0) << end.err;
  for (const char* line :
       {"model.head.weight: float32 [10, 32]\n", "max_accuracy: 41.5\n",
        "config.TRAIN.OPTIMIZER.BETAS: (0.9, 0.999)\n", "optimizer.state.0.step: float32 []\n"}) {
    EXPECT_NE(end.out.find(line), std::string::npos) << line << end.out;
  }
}

TEST(WfConvert, WhatCannotBeConvertedIsNamedAndTheInputIsNeverTheOutput) {
  const TempDir folder;
  const auto copy = folder / "w.pth";
  write_file(copy, read_file(golden_path("checkpoints/bare_state_dict.pth")));
  const auto same = convert({copy, copy, "--weights-only"});
  EXPECT_EQ(same.code, 2);
  EXPECT_NE(same.err.find("is the input"), std::string::npos) << same.err;
  TensorTree tree;
  auto* root = tree.document.make(pickle::Kind::dict);
  tree.document.put(root, "epoch", tree.document.of(int64_t{3}));
  tree.write(folder / "none.pth", *root);
  const auto none = convert({folder / "none.pth", folder / "x.pth"});
  EXPECT_EQ(none.code, 2);
  EXPECT_NE(none.err.find("contains no tensor"), std::string::npos) << none.err;
  write_file(folder / "text", "a text file, longer than a header of eight bytes");
  const auto text = convert({folder / "text", folder / "x.pth"});
  EXPECT_NE(text.err.find("neither a file of torch.save nor safetensors"), std::string::npos)
      << text.err;
}

// 61 lists, each holding the one before twice: more places than can be visited.
TEST(WfConvert, AValueInManyPlacesIsLookedAtOnce) {
  const TempDir folder;
  std::string program = "\x80\x02]q" + std::string(1, '\0');
  for (char i = 0; i < 60; ++i) {
    program += std::string("0](h") + i + "h" + i + "eq" + static_cast<char>(i + 1);
  }
  {
    AtomicFile file(folder / "many.pth");
    ZipWriter zip(file);
    zip.add("archive/data.pkl", program + ".");
    zip.add("archive/version", "3\n");
    zip.finish();
    file.commit();
  }
  const auto end = convert({folder / "many.pth", folder / "x.pth"});
  EXPECT_EQ(end.code, 2);
  EXPECT_NE(end.err.find("contains no tensor"), std::string::npos) << end.err;
  const auto listed = convert({folder / "many.pth", "--list"});
  EXPECT_EQ(listed.code, 0) << listed.err;
  EXPECT_NE(listed.out.find("…\nPyTorch file"), std::string::npos) << listed.out.substr(0, 200);
}

TEST(WfConvert, ABadFileIsOneLineAndExitCodeTwo) {
  const TempDir folder;
  for (const auto& entry : std::filesystem::directory_iterator(golden_path("checkpoints_bad"))) {
    const auto name = entry.path().filename().string();
    if (name == "missing_key.pth" || name == "other_classes.pth") continue;  // valid files
    for (const std::vector<std::string>& how :
         {std::vector<std::string>{"--list"}, {folder / "x.pth"}, {folder / "x.safetensors"}}) {
      auto words = how;
      words.insert(words.begin(), entry.path().string());
      const auto end = convert(words);
      EXPECT_EQ(end.code, 2) << name;
      EXPECT_EQ(end.err.rfind("error: " + entry.path().string() + ": ", 0), 0u) << end.err;
      EXPECT_EQ(std::count(end.err.begin(), end.err.end(), '\n'), 1) << end.err;
    }
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  EXPECT_FALSE(std::filesystem::exists("PWNED"));
  EXPECT_EQ(convert({golden_path("checkpoints/hub.safetensors"), folder / "x.bin"}).code, 2);
}

}  // namespace
}  // namespace wf::testing
