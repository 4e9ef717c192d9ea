// Small runs of wf_train on a denoiser.
#pragma once

#include "core/npy.h"
#include "support/all_tensors.h"
#include "support/process.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <torch/types.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

namespace wf::testing {

class DitRun : public ::testing::Test {
 protected:
  // Loss-aware times and two EMAs: everything that a checkpoint has to carry.
  static constexpr const char* kConfig = R"(
DATA: {DATASET: latents, IMG_SIZE: 8, BATCH_SIZE: 8, NUM_WORKERS: 2}
MODEL: {TYPE: wfm_dit, NAME: dit_nano, DIM: 16, DEPTH: 2, NUM_CLASSES: 3}
TRAIN: {STEPS: 12, WARMUP_EPOCHS: 0, BASE_LR: 1.0e-3, LR_SCALING: none, WEIGHT_DECAY: 0, CLIP_GRAD: 0,
        EMA_DECAY: 0.9, EMA_STD: 0.1, LR_SCHEDULER: {NAME: constant}}
DIFFUSION: {STEPS: 40, TIMESTEPS: loss_aware, LABEL_DROP: 0.3}
SAMPLE: {SAMPLER: ddpm, STEPS: 3, SCALE: 2, COLUMNS: 2}
PRINT_FREQ: 1
SAVE_STEPS: 5
SAVE_KEEP: 9
)";

  void SetUp() override {
    write_file(directory_ / "run.yaml", kConfig);
    const auto generator = at::detail::createCPUGenerator(1);
    std::filesystem::create_directories(directory_ / "data");
    write_npy(directory_ / "data/latents.npy", torch::randn({40, 4, 8, 8}, generator));
    write_npy(directory_ / "data/labels.npy", torch::arange(40) % 3);
  }

  std::vector<std::string> command(const std::string& tag,
                                   const std::vector<std::string>& opts = {}) const {
    std::vector<std::string> words{program("wf_train"),
                                   "--cfg",
                                   directory_ / "run.yaml",
                                   "--data-path",
                                   directory_ / "data",
                                   "--output",
                                   directory_ / "out",
                                   "--tag",
                                   tag,
                                   "--device",
                                   "cpu"};
    if (!opts.empty()) words.push_back("--opts");
    words.insert(words.end(), opts.begin(), opts.end());
    return words;
  }
  std::string file(const std::string& tag, const std::string& name) const {
    return directory_ / ("out/dit_nano/" + tag + "/" + name);
  }
  // Lines of steps, without values that differ between runs.
  std::vector<nlohmann::json> steps(const std::string& tag) const {
    std::istringstream lines(read_file(file(tag, "metrics.jsonl")));
    std::vector<nlohmann::json> out;
    for (std::string line; std::getline(lines, line);) {
      auto entry = nlohmann::json::parse(line);
      if (!entry.contains("loss")) continue;
      entry.erase("images_per_s");
      entry.erase("data_wait");
      entry.erase("memory_mib");
      out.push_back(std::move(entry));
    }
    return out;
  }
  void expect_equal_runs(const std::string& a, const std::string& b,
                         const std::string& last = "ckpt_step_12.pth") const {
    const auto ours = all_tensors(file(a, last)), theirs = all_tensors(file(b, last));
    ASSERT_EQ(ours.size(), theirs.size());
    for (const auto& [name, tensor] : ours) {
      EXPECT_TRUE(torch::equal(tensor, theirs.at(name))) << name;
    }
    EXPECT_EQ(steps(a), steps(b));
  }

  TempDir directory_;
};

}  // namespace wf::testing
