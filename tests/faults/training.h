// wf_train in several processes, on a small image set.
#pragma once

#include "support/all_tensors.h"
#include "support/ranks.h"
#include "support/temp_dir.h"
#include "support/toy_data.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <torch/types.h>

#include <sstream>

namespace wf::testing {

/// A directory with images, settings and their runs.
class Training {
 public:
  explicit Training(int epochs, int images = 96) {
    write_file(folder_ / "run.yaml", R"(
DATA: {IMG_SIZE: 16, BATCH_SIZE: 8, NUM_WORKERS: 1}
MODEL: {NAME: wfm_nano, PATCH_SIZE: 4, NUM_CLASSES: 2, DROP_PATH_RATE: 0.2}
TRAIN: {EPOCHS: )" + std::to_string(epochs) +
                                         R"(, WARMUP_EPOCHS: 1}
AUG: {MIXUP: 0, CUTMIX: 0, AUTO_AUGMENT: none, COLOR_JITTER: 0, REPROB: 0}
DIST: {TIMEOUT_S: 5}
PRINT_FREQ: 1
DEVICE: cpu
THREADS: 1
)");
    write_toy_folder(folder_ / "data", images, /*val=*/22, /*side=*/16);
  }

  std::vector<std::string> command(const std::string& tag,
                                   const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{program("wf_train"), "--cfg",          folder_ / "run.yaml",
                                   "--data-path",       folder_ / "data", "--output",
                                   folder_ / "out",     "--tag",          tag};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  std::string data() const { return folder_ / "data"; }
  std::string file(const std::string& tag, const std::string& name) const {
    return folder_ / ("out/wfm_nano/" + tag + "/" + name);
  }
  /// All tensors of the checkpoint after so many epochs, of model and optimizer.
  TensorMap tensors(const std::string& tag, int epochs) const {
    return all_tensors(file(tag, "ckpt_epoch_" + std::to_string(epochs) + ".pth"));
  }
  /// The lines of metrics.jsonl that are of epochs.
  std::vector<nlohmann::json> metrics(const std::string& tag) const {
    std::istringstream lines(read_file(file(tag, "metrics.jsonl")));
    std::vector<nlohmann::json> out;
    for (std::string line; std::getline(lines, line);) {
      auto entry = nlohmann::json::parse(line);
      if (entry.contains("train_loss")) out.push_back(std::move(entry));
    }
    return out;
  }

 private:
  TempDir folder_;
};

inline void expect_equal(const TensorMap& a, const TensorMap& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, tensor] : a) EXPECT_TRUE(torch::equal(tensor, b.at(name))) << name;
}

/// The largest difference of two runs' weights, relative to the largest weight of the tensor.
inline double difference(const TensorMap& a, const TensorMap& b) {
  double worst = 0;
  for (const auto& [name, tensor] : a) {
    if (name.rfind("model.", 0) != 0 || tensor.numel() == 0) continue;
    const auto scale = tensor.abs().max().item<double>() + 1e-12;
    worst = std::max(worst, (tensor - b.at(name)).abs().max().item<double>() / scale);
  }
  return worst;
}

}  // namespace wf::testing
