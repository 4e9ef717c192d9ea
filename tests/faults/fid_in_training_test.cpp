// The FID in the validations of wf_train, and distances in the features of a classifier.

#include "core/npz.h"
#include "metrics/statistics_file.h"
#include "support/all_tensors.h"
#include "support/inception_weights.h"
#include "support/process.h"
#include "support/ranks.h"
#include "support/tiny_vae.h"
#include "support/toy_data.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <torch/types.h>

#include <cmath>
#include <filesystem>
#include <sstream>

namespace wf::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class FidInTraining : public ::testing::Test {
 protected:
  static constexpr const char* kConfig = R"(
DATA: {IMG_SIZE: 8, BATCH_SIZE: 4, NUM_WORKERS: 2}
MODEL: {TYPE: wfm_dit, NAME: dit_nano, DIM: 16, DEPTH: 1, NUM_CLASSES: 2}
TRAIN: {STEPS: 6, WARMUP_EPOCHS: 0, BASE_LR: 1.0e-2, LR_SCALING: none, EMA_DECAY: 0.5,
        LR_SCHEDULER: {NAME: constant}}
DIFFUSION: {STEPS: 40, CHANNELS: 3, VAL_SAMPLES: 4}
SAMPLE: {STEPS: 2, SCALE: 2, BATCH_SIZE: 3}
TEST: {EVERY_STEPS: 3, EVERY_EPOCHS: 0}
)";
  static void SetUpTestSuite() {
    directory_ = new TempDir;
    write_file(path("run.yaml"), kConfig);
    write_toy_folder(path("data"), /*train=*/24, /*val=*/8, /*side=*/16);
    write_tiny_vae(path("vae"));
    write_safetensors(path("inception.safetensors"), {inception_weights()});
  }
  static void TearDownTestSuite() { delete directory_; }
  static std::string path(const std::string& name) { return *directory_ / name; }
  static std::string file(const std::string& tag, const std::string& name) {
    return path("out/dit_nano/" + tag + "/" + name);
  }
  static std::vector<std::string> command(const std::string& tag,
                                          const std::vector<std::string>& opts) {
    std::vector<std::string> words{program("wf_train"), "--cfg",      path("run.yaml"),
                                   "--data-path",       path("data"), "--output",
                                   path("out"),         "--tag",      tag,
                                   "--device",          "cpu",        "--opts",
                                   "DATA.VAE",          path("vae")};
    words.insert(words.end(), opts.begin(), opts.end());
    return words;
  }
  // Of keys that are given twice the last counts.
  static std::vector<std::string> with_fid(const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{"FID.IMAGES",     "6",           "FID.REFERENCE",
                                   path("data/val"), "FID.WEIGHTS", path("inception.safetensors")};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  // The FIDs of a run by step.
  static std::map<int64_t, double> fids(const std::string& tag) {
    std::istringstream lines(read_file(file(tag, "metrics.jsonl")));
    std::map<int64_t, double> out;
    for (std::string line; std::getline(lines, line);) {
      const auto entry = json::parse(line);
      EXPECT_FALSE(entry.contains("val_fid")) << "only of the EMA weights: " << line;
      for (const auto& [name, value] : entry.items()) {
        if (name.find("fid") != std::string::npos) out[entry["step"]] = value;
      }
    }
    return out;
  }
  static inline TempDir* directory_ = nullptr;
};

TEST_F(FidInTraining, IsInTheMetricsAndChangesNothingInTheRun) {
  ASSERT_EQ(run(command("without", {})).code, 0);
  const auto with = run(command("with", with_fid()));
  ASSERT_EQ(with.code, 0) << with.err;
  EXPECT_NE(with.err.find("not more than the 2048 features"), std::string::npos) << with.err;
  const auto found = fids("with");
  ASSERT_EQ(found.size(), 2u);  // at steps 3 and 6
  for (const auto& [step, fid] : found) EXPECT_GT(fid, 0) << step;
  const auto a = all_tensors(file("without", "ckpt_epoch_1.pth"));
  const auto b = all_tensors(file("with", "ckpt_epoch_1.pth"));
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, tensor] : a) EXPECT_TRUE(torch::equal(tensor, b.at(name))) << name;

  // Statistics in place of the images, two ranks in place of one.
  ASSERT_EQ(run({program("wf_fid"), path("data/val"), "--weights", path("inception.safetensors"),
                 "--save-stats", path("val.npz"), "--device", "cpu"})
                .code,
            0);
  const auto ended =
      Ranks(2, command("two", with_fid({"DATA.BATCH_SIZE", "2", "FID.REFERENCE", path("val.npz")})))
          .wait();
  for (const auto& rank : ended) ASSERT_EQ(rank.code, 0) << told(ended);
  for (const auto& [step, fid] : fids("two")) EXPECT_NEAR(fid, found.at(step), 0.01 * fid) << step;
}

TEST_F(FidInTraining, SelectsTheBestCheckpointAndComesEverySoManySteps) {
  const auto ended = run(command("best", with_fid({"FID.BEST", "true", "FID.EVERY", "4"})));
  ASSERT_EQ(ended.code, 0) << ended.err;
  const auto found = fids("best");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found.begin()->first, 6);
  auto words = command("evaluated", with_fid());
  words.insert(words.begin() + 1,
               {"--eval", "--resume", file("best", "max_acc.pth"), "--opts", "TEST.EMA", "true"});
  const auto evaluated = run(words);
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  const double fid = json::parse(evaluated.out)["val_fid"];
  EXPECT_NEAR(fid, found.at(6), 1e-3 * fid);
  // The best value of a loss is none of a FID.
  const auto other = run(command("best", {"TRAIN.STEPS", "8"}));
  EXPECT_EQ(other.code, 2);
  EXPECT_NE(other.err.find("trained with the selection FID"), std::string::npos) << other.err;
}

TEST_F(FidInTraining, NeedsItsFilesBeforeARunDirectoryIsMade) {
  const auto refused = [&](const std::vector<std::string>& opts, const std::string& message) {
    const auto ended = run(command("refused", opts));
    EXPECT_EQ(ended.code, 2);
    EXPECT_NE(ended.err.find(message), std::string::npos) << ended.err;
  };
  refused({"FID.IMAGES", "6"}, "FID.IMAGES needs FID.REFERENCE");
  refused({"FID.BEST", "true"}, "FID.BEST needs a FID");
  refused(with_fid({"DATA.DATASET", "latents", "DATA.VAE", ""}), "DATA.VAE is not set");
  EXPECT_FALSE(fs::exists(file("refused", "")));
  refused(with_fid({"FID.WEIGHTS", path("none.pth")}), "none.pth");
  refused(with_fid({"FID.REFERENCE", path("none")}), "none");
}

TEST_F(FidInTraining, DistancesInTheFeaturesOfAClassifier) {
  write_file(path("c.yaml"), R"(
MODEL: {NAME: wfm_nano, DIM: 16, DEPTH: 1, PATCH_SIZE: 4, NUM_CLASSES: 2}
DATA: {IMG_SIZE: 16, BATCH_SIZE: 8, NUM_WORKERS: 1}
TRAIN: {EPOCHS: 1, WARMUP_EPOCHS: 0}
)");
  ASSERT_EQ(run({program("wf_train"), "--cfg", path("c.yaml"), "--data-path", path("data"),
                 "--output", path("out"), "--device", "cpu"})
                .code,
            0);
  const auto checkpoint = path("out/wfm_nano/default/max_acc.pth");
  const auto fid = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{program("wf_fid"), "--features", checkpoint, "--device", "cpu"};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  };
  const auto ended = fid({path("data/train"), path("data/val"), "--output", path("r.json"),
                          "--save-stats", path("train.npz")});
  ASSERT_EQ(ended.code, 0) << ended.err;
  const auto result = json::parse(read_file(path("r.json")));
  EXPECT_GT(result["figures"]["fd"], 0);
  EXPECT_FALSE(result["figures"].contains("fid"));
  EXPECT_FALSE(result["figures"].contains("sfid"));
  EXPECT_FALSE(result["figures"].contains("inception_score"));
  EXPECT_EQ(result["settings"]["network"], "classifier wfm_nano");
  EXPECT_EQ(read_statistics(path("train.npz")).pooled.dim(), 16);
  const auto same = fid({path("data/train"), path("train.npz"), "--figures", "fid"});
  ASSERT_EQ(same.code, 0) << same.err;
  EXPECT_NE(same.out.find("FD "), std::string::npos) << same.out;
  const auto mixed = run({program("wf_fid"), path("data/val"), path("train.npz"), "--weights",
                          path("inception.safetensors"), "--device", "cpu"});
  EXPECT_EQ(mixed.code, 2);
  EXPECT_NE(mixed.err.find("network: inception-v3-2015-12-05 / classifier wfm_nano"),
            std::string::npos)
      << mixed.err;
  const auto both = fid({path("data/val"), path("data/val"), "--weights", "x"});
  EXPECT_EQ(both.code, 2);
}

}  // namespace
}  // namespace wf::testing
