#include "weightformer/models/load.h"

#include "support/errors.h"
#include "support/fill.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <torch/types.h>

namespace wf::testing {
namespace {

std::shared_ptr<Classifier> filled_model(const ClassifierOptions& options) {
  auto model = make_classifier(options);
  fill_parameters(*model);
  model->eval();
  return model;
}

TEST(LoadClassifier, BuildsTheModelOfBareWeights) {
  const TempDir directory;
  const auto path = directory / "w.safetensors";
  const auto model = filled_model(classifier_options("wfm_nano").num_classes(7));
  write_safetensors(path, {state_dict(*model), {}});
  const auto loaded = load_classifier(path);
  loaded->eval();
  EXPECT_EQ(loaded->num_classes(), 7);
  EXPECT_EQ(loaded->image_size(), 64);
  const auto x = filled("input.x", {2, 3, 64, 64});
  EXPECT_TRUE(torch::equal(loaded->forward(x), model->forward(x)));
}

TEST(LoadClassifier, TakesNameAndImageSizeFromTheSettings) {
  Weights weights;
  weights.tensors =
      state_dict(*filled_model(classifier_options("wfm_nano").depth(3).patch_size(4)));
  EXPECT_NE(error_of([&] {
              classifier_options(weights, "w.pth");
            }).find("w.pth: weights of dimension 32, depth 3 and patch size 4, as none of "),
            std::string::npos);
  weights.settings = {{"MODEL.NAME", "wfm_nano"}, {"DATA.IMG_SIZE", "96"}};
  const auto options = classifier_options(weights, "w.pth");
  EXPECT_EQ(options.depth(), 3);
  EXPECT_EQ(options.patch_size(), 4);
  EXPECT_EQ(options.image_size(), 96);
}

TEST(LoadClassifier, RefusesWhatIsNoClassifier) {
  Weights weights;
  weights.tensors["x"] = torch::zeros({2});
  EXPECT_EQ(error_of([&] { classifier_options(weights, "w.pth"); }),
            "w.pth: not the weights of a classifier: expected patch_embed.proj.weight with 4 "
            "dimensions");
  weights.tensors = state_dict(*filled_model(classifier_options("wfm_nano")));
  weights.tensors["blocks.999999999999.x"] = torch::zeros({1});
  EXPECT_NE(error_of([&] { classifier_options(weights, "w.pth"); }), "");  // allocates nothing
}

}  // namespace
}  // namespace wf::testing
