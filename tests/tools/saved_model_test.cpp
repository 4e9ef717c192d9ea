// A checkpoint knows its model: what evaluates, classifies or starts from one needs no --cfg.

#include "weightformer/serialization/safetensors.h"

#include "support/golden.h"
#include "support/process.h"
#include "support/temp_dir.h"
#include "support/toy_data.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>

namespace wf::testing {
namespace {

using Words = std::vector<std::string>;

class SavedModel : public ::testing::Test {
 protected:
  void SetUp() override {
    write_toy_folder(data_, /*train=*/64, /*val=*/30, /*side=*/24);
    write_file(cfg_, R"(
DATA: {IMG_SIZE: 24, BATCH_SIZE: 8, NUM_WORKERS: 0, CACHE_LISTING: false}
MODEL: {NAME: wfm_nano, PATCH_SIZE: 4, DEPTH: 3, NUM_CLASSES: 2}
TRAIN: {EPOCHS: 1, WARMUP_EPOCHS: 0}
TEST: {CROP: false}
AUG: {MIXUP: 0, CUTMIX: 0, AUTO_AUGMENT: none, COLOR_JITTER: 0, REPROB: 0}
)");
    const auto end = train({"--cfg", cfg_, "--tag", "first"});
    ASSERT_EQ(end.code, 0) << end.err;
  }
  Finished train(Words words) const {
    words.insert(words.begin(), program("wf_train"));
    for (const auto& word :
         {"--data-path", data_.c_str(), "--output", out_.c_str(), "--device", "cpu"}) {
      words.push_back(word);
    }
    return run(words);
  }
  static Finished infer(Words words) {
    words.insert(words.begin(), program("wf_infer"));
    return run(words);
  }

  TempDir folder_;
  std::string data_ = folder_ / "data", out_ = folder_ / "out", cfg_ = folder_ / "run.yaml";
  std::string checkpoint_ = folder_ / "out/wfm_nano/first/ckpt_epoch_1.pth";
  std::string image_ = golden_path("images/rgb_420.jpg");
};

TEST_F(SavedModel, IsEvaluatedWithoutAConfiguration) {
  const auto with = train({"--eval", "--resume", checkpoint_, "--cfg", cfg_, "--tag", "a"});
  const auto without =
      train({"--eval", "--resume", checkpoint_, "--batch-size", "8", "--tag", "b"});
  ASSERT_EQ(without.code, 0) << without.err;
  EXPECT_NE(with.out, "");
  EXPECT_EQ(without.out, with.out);
  EXPECT_EQ(without.err.find("other settings"), std::string::npos) << without.err;
}

TEST_F(SavedModel, IsEvaluatedOnTheImagesThatItsRunHeldOut) {
  std::filesystem::remove_all(data_ + "/val");
  const Words split{"--opts", "DATA.VAL_SPLIT", "0.25", "SEED", "3"};
  Words first{"--cfg", cfg_, "--tag", "split"};
  first.insert(first.end(), split.begin(), split.end());
  const auto trained = train(first);
  ASSERT_EQ(trained.code, 0) << trained.err;
  const auto checkpoint = out_ + "/wfm_nano/split/ckpt_epoch_1.pth";
  Words eval{"--eval", "--resume", checkpoint, "--batch-size", "8", "--tag", "a"};
  const auto without = train(eval);
  ASSERT_EQ(without.code, 0) << without.err;
  EXPECT_NE(
      without.err.find(checkpoint + ": its run held out 0.25 of the training images (SEED 3)"),
      std::string::npos)
      << without.err;
  eval.insert(eval.end(), split.begin(), split.end());
  EXPECT_EQ(train(eval).out, without.out);
  // A validation set is not replaced.
  write_toy_folder(data_, /*train=*/64, /*val=*/30, /*side=*/24);
  const auto validation = train({"--eval", "--resume", checkpoint, "--tag", "b"});
  EXPECT_NE(validation.err.find("30 validation images"), std::string::npos) << validation.err;
}

TEST_F(SavedModel, EvaluatedOtherwiseIsWarnedOf) {
  const auto end = train({"--eval", "--resume", checkpoint_, "--cfg", cfg_, "--opts",
                          "DATA.IMG_SIZE", "32", "AMP", "true"});
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_NE(end.err.find(checkpoint_ + ": was trained with other settings; using those given: "
                                       "DATA.IMG_SIZE 24 → 32, AMP false → true"),
            std::string::npos)
      << end.err;
}

TEST_F(SavedModel, ClassifiesAnImageWithoutAConfiguration) {
  const auto with = infer({"--cfg", cfg_, "--resume", checkpoint_, "--images", image_, "--json"});
  const auto without = infer({checkpoint_, image_, "--json"});
  ASSERT_EQ(without.code, 0) << without.err;
  EXPECT_NE(without.out.find("upright"), std::string::npos) << without.out;
  EXPECT_EQ(without.out, with.out);
  EXPECT_EQ(without.err, "");
  // Also as safetensors.
  const auto converted = folder_ / "w.safetensors";
  ASSERT_EQ(run({program("wf_convert"), checkpoint_, converted}).code, 0);
  const auto safetensors = infer({converted, image_, "--json"});
  EXPECT_EQ(safetensors.out, without.out) << safetensors.err;
}

TEST_F(SavedModel, OfTheReferenceImplementationToo) {
  const auto published = golden_path("checkpoints/published_trainer.pth");
  const auto end = infer({published, image_, "--json"});
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_NE(end.out.find("\"class\":\"class "), std::string::npos) << end.out;
}

TEST_F(SavedModel, OfBareWeightsIsRecognizedByItsShapes) {
  const auto bare = folder_ / "bare.pth",
             published = golden_path("checkpoints/published_trainer.pth");
  ASSERT_EQ(run({program("wf_convert"), published, bare, "--weights-only"}).code, 0);
  const auto end = infer({bare, image_});
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_NE(end.err.find("bare.pth: does not name its model; by its shapes it is wfm_nano"),
            std::string::npos)
      << end.err;
}

TEST_F(SavedModel, OfOtherClassesIsWarnedOfWhenItIsFineTuned) {
  std::filesystem::rename(data_ + "/train/level", data_ + "/train/oblique");
  std::filesystem::rename(data_ + "/val/level", data_ + "/val/oblique");
  const auto end = train({"--cfg", cfg_, "--tag", "second", "--pretrained", checkpoint_});
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_NE(
      end.err.find("ckpt_epoch_1.pth: trained on other classes: class 0 was 'level' and is now "
                   "'oblique'; the head is loaded with the other weights"),
      std::string::npos)
      << end.err;
}

TEST_F(SavedModel, AsSafetensorsCarriesAllThatClassifyingNeeds) {
  const auto file = folder_ / "w.safetensors";
  ASSERT_EQ(run({program("wf_convert"), checkpoint_, file}).code, 0);
  const auto metadata = read_safetensors(file).metadata;
  EXPECT_EQ(metadata.at("classes"), R"(["level","upright"])");
  EXPECT_EQ(metadata.at("mean"), "[0.485,0.456,0.406]");
  EXPECT_EQ(metadata.at("std"), "[0.229,0.224,0.225]");
  const auto config = nlohmann::json::parse(metadata.at("config"));
  EXPECT_EQ(config["MODEL.NAME"], "wfm_nano");
  EXPECT_EQ(config["DATA.IMG_SIZE"], "24");
  EXPECT_EQ(config["DATA.INTERPOLATION"], "bicubic");
}

TEST_F(SavedModel, WhoseMetadataContradictTheTensorsIsRefusedInOneLine) {
  const auto file = folder_ / "w.safetensors";
  ASSERT_EQ(run({program("wf_convert"), checkpoint_, file}).code, 0);
  const auto correct = read_safetensors(file);
  const auto refused = [&](const std::string& key, const std::string& value,
                           const std::string& expected) {
    auto content = correct;
    content.metadata[key] = value;
    const auto changed = folder_ / "changed.safetensors";
    write_safetensors(changed, content);
    const auto end = infer({changed, image_});
    EXPECT_EQ(end.code, 2) << expected;
    EXPECT_NE(end.err.find("error: " + changed), std::string::npos) << end.err;
    EXPECT_NE(end.err.find(expected), std::string::npos) << end.err;
    EXPECT_EQ(std::count(end.err.begin(), end.err.end(), '\n'), 1) << end.err;
  };
  const auto with_setting = [&](const char* key, const char* value) {
    auto config = nlohmann::json::parse(correct.metadata.at("config"));
    config[key] = value;
    return config.dump();
  };
  refused("classes", R"(["a","b","c"])",
          ": its metadata names 3 classes, and its head.weight has 2 rows; convert it again");
  refused("mean", "[0.5,0.5,0.5]",
          ": 'mean' in its metadata is [0.5,0.5,0.5], and this program normalizes images only with "
          "[0.485,0.456,0.406]");
  refused("config", with_setting("MODEL.NUM_CLASSES", "7"),
          ": MODEL.NUM_CLASSES in its metadata is 7, and its head.weight has 2 rows");
  refused("config", with_setting("MODEL.NAME", "wfm_tiny"), "in the model");
  refused("config", with_setting("MODEL.DEPTH", "2"), "not the weights of this model: unexpected");
}

}  // namespace
}  // namespace wf::testing
