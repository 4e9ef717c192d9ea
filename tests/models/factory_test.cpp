#include "weightformer/models/dit.h"
#include "weightformer/models/model.h"

#include "support/errors.h"

#include <gtest/gtest.h>
#include <torch/types.h>

namespace wf::testing {
namespace {

TEST(ModelFactory, TheOptionsOfANamedModelCanBeChanged) {
  auto options = classifier_options("wfm_nano");
  EXPECT_EQ(options.name(), "wfm_nano");
  EXPECT_EQ(options.depth(), 5);
  EXPECT_EQ(options.num_classes(), 10);
  options.num_classes(7).depth(2).drop_path_rate(0.5);
  options.drop_path_rate(0);  // 0 is a value like any other
  const auto model = make_classifier(options);
  EXPECT_EQ(model->num_classes(), 7);
  EXPECT_EQ(model->image_size(), 64);
  EXPECT_TRUE(model->named_modules().contains("blocks.1"));
  EXPECT_FALSE(model->named_modules().contains("blocks.2"));
  const auto x = torch::randn({2, 3, 64, 64});
  EXPECT_TRUE(torch::equal(model->forward(x), model->forward(x))) << "nothing is dropped";
}

TEST(ModelFactory, EveryNameIsOfOneKind) {
  for (const auto& name : classifier_names()) {
    EXPECT_EQ(model_kind(name), ModelKind::classifier) << name;
  }
  for (const auto& name : dit_names()) EXPECT_EQ(model_kind(name), ModelKind::diffusion) << name;
  EXPECT_EQ(classifier_names().front(), "wfm_tiny");
  EXPECT_EQ(dit_names().front(), "dit_s_2");
}

TEST(ModelFactory, AnUnknownNameIsAnsweredWithTheNearestOfAll) {
  for (const auto& [wrong, nearest] : {std::pair{"wfm_tinny", "wfm_tiny"},
                                       {"wmf_nano", "wfm_nano"},
                                       {"dit_s2", "dit_s_2"},
                                       {"dti_b_4", "dit_b_4"}}) {
    const auto expected =
        str("unknown model '", wrong, "', did you mean '", nearest, "'? known: wfm_tiny, ");
    const std::string name = wrong;
    for (const auto& message :
         {error_of([&] { create_classifier(name); }), error_of([&] { create_dit(name); }),
          error_of([&] { model_kind(name); })}) {
      EXPECT_EQ(message.substr(0, expected.size()), expected);
    }
  }
}

TEST(ModelFactory, ANameOfTheOtherKindListsThoseOfItsOwn) {
  EXPECT_TRUE(has(error_of([] { create_classifier("dit_s_2"); }),
                  "dit_s_2 is a diffusion model; the classifiers are wfm_tiny, "));
  EXPECT_TRUE(has(error_of([] { create_dit("wfm_tiny"); }),
                  "wfm_tiny is a classifier; the diffusion models are dit_s_2, "));
}

TEST(Model, ParametersAreInTheLayersOfTheirBlocks) {
  const auto classifier = create_classifier("wfm_nano");
  for (const auto& [name, layer] : {std::pair{"patch_embed.proj.weight", 0},
                                    {"init_norm.bias", 0},
                                    {"blocks.0.norm1.weight", 1},
                                    {"blocks.4.norm1.weight", 5},
                                    {"norm.weight", 6},
                                    {"head.weight", 6}}) {
    EXPECT_EQ(classifier->layer_index(name), layer) << name;
  }
  const auto denoiser = create_dit("dit_nano");
  for (const auto& [name, layer] : {std::pair{"pos_embed", 0},
                                    {"x_embedder.proj.weight", 0},
                                    {"t_embedder.mlp.0.weight", 0},
                                    {"y_embedder.embedding_table.weight", 0},
                                    {"blocks.0.mlp.fc1.weight", 1},
                                    {"final_layer.linear.weight", 6}}) {
    EXPECT_EQ(denoiser->layer_index(name), layer) << name;
  }
}

// Of the parameters whose shape depends on the class count, and of no others, head_names() must be
// the beginnings.
TEST(Model, TheHeadIsWhatDependsOnTheClassCount) {
  const auto check = [](const Model& a, const Model& b) {
    const auto others = b.named_parameters();
    for (const auto& item : a.named_parameters()) {
      bool head = false;
      for (const auto& prefix : a.head_names()) head |= item.key().rfind(prefix, 0) == 0;
      EXPECT_EQ(head, item.value().sizes() != others[item.key()].sizes()) << item.key();
    }
  };
  const auto classifier = classifier_options("wfm_nano");
  check(*make_classifier(classifier),
        *make_classifier(ClassifierOptions(classifier).num_classes(3)));
  const auto denoiser = dit_options("dit_nano");
  check(DiTImpl(denoiser), DiTImpl(DiTOptions(denoiser).num_classes(3)));
}

}  // namespace
}  // namespace wf::testing
