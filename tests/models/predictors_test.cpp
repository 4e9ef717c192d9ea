// The predictors as options of the models.

#include "weightformer/models/dit.h"
#include "weightformer/models/load.h"
#include "weightformer/models/model.h"
#include "weightformer/nn/mixers.h"

#include "support/errors.h"
#include "support/fill.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <torch/types.h>

namespace wf::testing {
namespace {

struct Pair {
  std::string linear, conv;
};

std::vector<Pair> all_pairs() {
  std::vector<Pair> out;
  for (const auto& linear : linear_predictors()) {
    for (const auto& conv : conv_predictors()) out.push_back({linear, conv});
  }
  return out;
}

ClassifierOptions nano_with(const Pair& pair) {
  return classifier_options("wfm_nano").linear_predictor(pair.linear).conv_predictor(pair.conv);
}

void expect_all_gradients(const Model& model, const std::string& what) {
  for (const auto& item : model.named_parameters()) {
    if (!item.value().requires_grad()) continue;
    ASSERT_TRUE(item.value().grad().defined()) << what << ": " << item.key();
    EXPECT_TRUE(item.value().grad().isfinite().all().item<bool>()) << what << ": " << item.key();
  }
}

TEST(Predictors, EveryPairTrainsOnAnyGrid) {
  for (const auto& pair : all_pairs()) {
    const auto what = pair.linear + " " + pair.conv;
    const auto model = make_classifier(nano_with(pair));
    fill_parameters(*model);
    const auto logits = model->forward(filled("input.x", {2, 3, 40, 24}));
    ASSERT_EQ(logits.sizes(), at::IntArrayRef({2, 10})) << what;
    logits.square().sum().backward();
    expect_all_gradients(*model, what);
  }
}

TEST(Predictors, EveryPairIsLoadedFromItsFile) {
  const TempDir directory;
  const auto x = filled("input.x", {1, 3, 32, 48});
  for (const auto& pair : all_pairs()) {
    const auto model = make_classifier(nano_with(pair));
    fill_parameters(*model);
    model->eval();
    const auto path = directory / "weights.safetensors";
    write_safetensors(path,
                      {state_dict(*model),
                       {{kSettingsMetadata, R"({"MODEL.NAME": "wfm_nano", )"
                                            R"("MODEL.LINEAR_PREDICTOR": ")" +
                                                pair.linear + R"(", "MODEL.CONV_PREDICTOR": ")" +
                                                pair.conv + "\"}"}}});
    const auto loaded = load_classifier(path);
    loaded->eval();
    EXPECT_TRUE(torch::equal(loaded->forward(x), model->forward(x)))
        << pair.linear << " " << pair.conv;
  }
}

TEST(Predictors, EveryPairComputesSomethingElse) {
  std::vector<at::Tensor> seen;
  for (const auto& pair : all_pairs()) {
    const auto model = make_classifier(nano_with(pair));
    fill_parameters(*model);
    const auto logits = model->forward(filled("input.x", {1, 3, 64, 64}));
    for (const auto& other : seen) {
      EXPECT_FALSE(torch::allclose(logits, other)) << pair.linear << " " << pair.conv;
    }
    seen.push_back(logits);
  }
}

TEST(Predictors, EveryPairDenoises) {
  for (const auto& pair : all_pairs()) {
    const auto what = pair.linear + " " + pair.conv;
    DiTImpl model(dit_options("dit_nano").linear_predictor(pair.linear).conv_predictor(pair.conv));
    fill_parameters(model);
    const auto out =
        model.forward(filled("input.x", {2, 4, 8, 12}), torch::arange(2, torch::kLong) * 321,
                      torch::arange(2, torch::kLong));
    out.square().sum().backward();
    expect_all_gradients(model, what);
  }
}

TEST(Predictors, TheDefaultHasTheNamesOfThePublishedWeights) {
  const auto model = create_classifier("wfm_nano");
  const auto names = model->named_parameters();
  for (const char* name : {"w", "b", "w1", "w2", "wfm.weight", "wfm.bias"}) {
    EXPECT_TRUE(names.contains(str("blocks.1.linear1.", name))) << name;
  }
  EXPECT_FALSE(names.contains("blocks.1.linear1.m1"));
  EXPECT_FALSE(names.contains("blocks.1.dwc.amplitude.weight"));
}

TEST(Predictors, AnUnknownNameIsRefusedAlsoWithoutADynamicBlock) {
  for (const int64_t depth : {1, 5}) {
    EXPECT_EQ(error_of([&] {
                make_classifier(nano_with({"cubic", "conv"}).depth(depth));
              }),
              "unknown linear predictor 'cubic': known: static, gap, linear, nonlinear, deep, "
              "bilateral");
    EXPECT_EQ(error_of([&] { DiTImpl(dit_options("dit_nano").conv_predictor("x").depth(depth)); }),
              "unknown convolution predictor 'x': known: static, gap, adaptive, amp-dir, conv");
  }
}

}  // namespace
}  // namespace wf::testing
