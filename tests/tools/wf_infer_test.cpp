#include "weightformer/checkpoint/weights.h"
#include "weightformer/models/model.h"

#include "support/fill.h"
#include "support/golden.h"
#include "support/process.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <torch/torch.h>

#include <sstream>

namespace wf::testing {
namespace {

class WfInfer : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto model = create_classifier("wfm_nano");
    fill_parameters(*model);
    write_safetensors(folder_ / "w.safetensors", {state_dict(*model), {}});
    write_file(folder_ / "c.yaml",
               "MODEL: {NAME: wfm_nano, NUM_CLASSES: 10}\nDATA: {IMG_SIZE: 64}\n");
  }
  TempDir folder_;
};

TEST_F(WfInfer, ATensorInGivesTheGoldenLogitsOut) {
  write_safetensors(folder_ / "x.safetensors", {{{"x", filled("input.x", {2, 3, 64, 64})}}, {}});
  const auto end =
      run({program("wf_infer"), "--model", "wfm_nano", "--weights", folder_ / "w.safetensors",
           "--input", folder_ / "x.safetensors", "--output", folder_ / "y.safetensors"});
  ASSERT_EQ(end.code, 0) << end.err;
  expect_close(read_safetensors(folder_ / "y.safetensors").tensors.at("logits"),
               golden("models/wfm_nano_64x64.safetensors").tensors.at("logits"), kLogitTolerance,
               "logits");
}

TEST_F(WfInfer, ThePublishedCheckpointGivesItsLogits) {
  write_safetensors(folder_ / "x.safetensors", {{{"x", filled("input.x", {2, 3, 64, 64})}}, {}});
  const auto end = run({program("wf_infer"), "--model", "wfm_nano", "--weights",
                        golden_path("checkpoints/published_trainer.pth"), "--input",
                        folder_ / "x.safetensors", "--output", folder_ / "y.safetensors"});
  ASSERT_EQ(end.code, 0) << end.err;
  expect_close(read_safetensors(folder_ / "y.safetensors").tensors.at("logits"),
               golden("checkpoints/expected.safetensors").tensors.at("logits"), kLogitTolerance,
               "logits");
}

TEST_F(WfInfer, PicturesGiveTheirTopClassesAsJson) {
  const auto end = run({program("wf_infer"), "--cfg", folder_ / "c.yaml", "--resume",
                        folder_ / "w.safetensors", "--images", golden_path("images/rgb_420.jpg"),
                        golden_path("images/photo.bmp"), "--top", "3", "--json"});
  ASSERT_EQ(end.code, 0) << end.err;
  std::istringstream lines(end.out);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const auto answer = nlohmann::json::parse(line);
    ASSERT_EQ(answer["top"].size(), 3u);
    EXPECT_GE(answer["top"][0]["probability"], answer["top"][1]["probability"]);
  }
  EXPECT_EQ(count, 2);
}

TEST_F(WfInfer, AnUnreadablePictureIsNamedTheOthersAreAnsweredAndTheExitCodeIsTwo) {
  const auto end =
      run({program("wf_infer"), "--cfg", folder_ / "c.yaml", "--resume", folder_ / "w.safetensors",
           "--images", golden_path("images_bad/text.jpg"), golden_path("images/grey.jpg")});
  EXPECT_EQ(end.code, 2);
  EXPECT_NE(end.err.find("text.jpg"), std::string::npos) << end.err;
  EXPECT_NE(end.out.find("grey.jpg\n"), std::string::npos) << end.out;
}

TEST_F(WfInfer, HalfACommandIsOneLineAndExitCodeTwo) {
  const auto end = run({program("wf_infer"), "--model", "wfm_nano"});
  EXPECT_EQ(end.code, 2);
  EXPECT_EQ(end.err.rfind("error: ", 0), 0u) << end.err;
}

}  // namespace
}  // namespace wf::testing
