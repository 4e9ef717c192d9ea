#include "weightformer/models/dit.h"

#include "weightformer/core/check.h"
#include "weightformer/models/model.h"
#include "weightformer/nn/mixed_precision.h"

#include "support/errors.h"
#include "support/fill.h"
#include "support/golden.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <set>

namespace wf::testing {
namespace {

DiTOptions nano() { return dit_options("dit_nano"); }

std::shared_ptr<DiTImpl> filled_nano(const DiTOptions& options = nano()) {
  const auto model = std::make_shared<DiTImpl>(options);
  fill_parameters(*model);
  return model;
}

struct Inputs {
  at::Tensor x, t, y;
};

Inputs inputs(int64_t batch, int64_t height, int64_t width) {
  return {filled("input.x", {batch, 4, height, width}),
          torch::arange(batch, torch::kLong) * 321 % 1000,
          torch::arange(batch, torch::kLong) * 3 % 11};
}

class DiTGolden : public ::testing::TestWithParam<const char*> {};

TEST_P(DiTGolden, OutputGuidedOutputAndAllGradientsMatch) {
  const std::string name = GetParam();
  const bool nano = name == "dit_nano";
  const auto file = golden("models/" + name + ".safetensors");
  const auto& want = file.tensors;
  const auto model = create_dit(name);
  fill_parameters(*model);
  model->eval();
  const auto t = want.at("t"), y = want.at("y");
  const int64_t b = t.size(0), side = model->options.latent_size();
  const auto x = filled("input.x", {b, 4, side, side}).requires_grad_();

  const auto out = model->forward(x, t, y);
  out.backward(filled("input.grad", out.sizes()));

  RecordProperty("output_error", str(relative_error(out, want.at("out"))));
  expect_close(out, want.at("out"), kLogitTolerance, "out");
  if (nano) expect_close(x.grad(), want.at("grad.input"), kNanoGradientTolerance, "input");
  const auto parameters = model->named_parameters();
  const auto names = about(file)["names"].get<std::vector<std::string>>();
  double worst = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    ASSERT_TRUE(parameters.contains(names[i])) << names[i];
    const auto gradient = parameters[names[i]].grad();
    ASSERT_TRUE(gradient.defined()) << names[i];
    const double norm = want.at("grad_norm")[i].item<double>();
    // In float32 the norm itself would be off by 4e-4 over millions of numbers.
    const double norm_error =
        std::abs(gradient.to(torch::kDouble).norm().item<double>() - norm) / norm;
    EXPECT_LE(norm_error, kGradientNormTolerance) << names[i];
    // The probe is a random direction: it detects an error that does not change the norm.
    const auto direction = filled("input.probe." + names[i], gradient.sizes());
    EXPECT_NEAR((gradient.to(torch::kDouble) * direction).sum().item<double>(),
                want.at("grad_probe")[i].item<double>(),
                kGradientNormTolerance * norm * direction.norm().item<double>())
        << names[i];
    worst = std::max(worst, norm_error);
    if (!nano) continue;
    const auto& full = want.at("grad." + names[i]);
    expect_close(gradient, full, kNanoGradientTolerance, names[i]);
    worst = std::max(worst, relative_error(gradient, full));
  }
  RecordProperty("worst_gradient_error", str(worst));

  const torch::NoGradGuard no_grad;
  const auto guided = model->forward_guided(x, t[0].expand({b}), want.at("guided_y"), 4.0);
  RecordProperty("guided_error", str(relative_error(guided, want.at("guided"))));
  expect_close(guided, want.at("guided"), kLogitTolerance, "guided");
  const torch::InferenceMode inference;
  expect_close(model->forward(x, t, y), want.at("out"), kLogitTolerance, "out, inference mode");
}

INSTANTIATE_TEST_SUITE_P(Files, DiTGolden,
                         ::testing::Values("dit_nano", "dit_s_2", "dit_s_4", "dit_s_8", "dit_b_8"),
                         [](const auto& info) { return std::string(info.param); });

TEST(DiT, TheStateDictHasThePublishedNames) {
  for (const std::string name : {"dit_nano", "dit_s_2"}) {
    const auto names = about(golden("models/" + name + ".safetensors"))["names"];
    std::set<std::string> published = names.get<std::set<std::string>>(), ours;
    published.insert("pos_embed");  // not trained, so no gradient is in the file
    for (const auto& item : state_dict(*create_dit(name))) ours.insert(item.first);
    EXPECT_EQ(ours, published);
  }
}

TEST(DiT, WeightsLoadByNameAndAWrongNameIsAnError) {
  const auto from = filled_nano(), to = create_dit("dit_nano");
  auto weights = state_dict(*from);
  load_weights(*to, weights, "memory");
  const auto [x, t, y] = inputs(2, 8, 8);
  from->eval();
  to->eval();
  EXPECT_TRUE(torch::equal(from->forward(x, t, y), to->forward(x, t, y)));
  weights["t_embedder.mlp.1.weight"] = weights.at("t_embedder.mlp.2.weight");
  weights.erase("t_embedder.mlp.2.weight");
  EXPECT_TRUE(has(error_of([&] { load_weights(*to, weights, "memory"); }),
                  "missing t_embedder.mlp.2.weight; unexpected t_embedder.mlp.1.weight"));
}

int64_t trained(const torch::nn::Module& module) {
  int64_t count = 0;
  for (const auto& p : module.parameters()) count += p.requires_grad() ? p.numel() : 0;
  return count;
}

TEST(DiT, TheNamedModelsHaveThePublishedNumberOfParameters) {
  EXPECT_EQ(trained(*create_dit("dit_s_2")), 37'566'080);
  EXPECT_EQ(trained(*create_dit("dit_b_2")), 149'007'584);
}

TEST(DiT, ZeroInitializedOutputForAnySize) {
  DiT noise_only(nano().learn_sigma(false));
  const auto [x, t, y] = inputs(3, 6, 10);
  EXPECT_TRUE(torch::equal(create_dit("dit_nano")->forward(x, t, y), torch::zeros({3, 8, 6, 10})));
  EXPECT_TRUE(torch::equal(noise_only->forward(x, t, y), torch::zeros({3, 4, 6, 10})));
}

// The original's order of operations, a loop for the positions, nothing fused.
at::Tensor plain_position(int64_t dim, Grid grid) {
  auto out = torch::empty({grid.height, grid.width, dim}, torch::kDouble);
  const int64_t quarter = dim / 4;
  for (int64_t r = 0; r < grid.height; ++r) {
    for (int64_t c = 0; c < grid.width; ++c) {
      for (int64_t i = 0; i < dim; ++i) {
        const double place = static_cast<double>(i < dim / 2 ? c : r);
        const double angle = place / std::pow(10000.0, double(i % quarter) / double(quarter));
        out[r][c][i] = i / quarter % 2 == 0 ? std::sin(angle) : std::cos(angle);
      }
    }
  }
  return out.view({1, grid.tokens(), dim});
}

at::Tensor plain_block(const torch::OrderedDict<std::string, at::Tensor>& p, bool dynamic,
                       const at::Tensor& tokens, const at::Tensor& c, Grid grid) {
  const int64_t dim = tokens.size(2);
  const auto linear = [&](const std::string& name, const at::Tensor& x) {
    return at::linear(x, p[name + ".weight"], p[name + ".bias"]);
  };
  const auto image = [&](const at::Tensor& x) {
    return x.transpose(1, 2).unflatten(2, {grid.height, grid.width});
  };
  const auto parts = linear("adaLN_modulation.1", c).chunk(6, 1);
  const auto normed = at::layer_norm(tokens, {dim}, {}, {}, 1e-6);
  auto mixed = normed * (1 + parts[1].unsqueeze(1)) + parts[0].unsqueeze(1);
  if (dynamic) {
    const auto cells = at::adaptive_avg_pool2d(image(mixed), {3, 3});
    const auto hidden = at::conv2d(cells, p["dwc.wfm.0.weight"], p["dwc.wfm.0.bias"]);
    mixed = reference::dynamic_dwconv(
        mixed, grid, at::conv2d(at::gelu(hidden), p["dwc.wfm.2.weight"]), p["dwc.w"], p["dwc.b"]);
  } else {
    const auto y = at::conv2d(image(mixed), p["dwc.weight"], p["dwc.bias"], 1, 1, 1, dim);
    mixed = y.flatten(2).transpose(1, 2);
  }
  const auto x = normed + parts[2].unsqueeze(1) * mixed;
  auto h = at::layer_norm(x, {dim}, {}, {}, 1e-6);
  h = h * (1 + parts[4].unsqueeze(1)) + parts[3].unsqueeze(1);
  if (dynamic) {
    const auto pooled = grid.height < 2 || grid.width < 2
                            ? h.slice(1, 0, 0)  // one row of tokens pools to none
                            : at::avg_pool2d(image(h), 2).flatten(2).transpose(1, 2);
    const auto sides = linear("linear1.wfm", pooled).split_with_sizes({dim / 4, dim}, -1);
    const auto n = static_cast<double>(grid.tokens());
    auto w = at::matmul(at::matmul(at::silu(sides[0]), p["linear1.w1"]).transpose(1, 2),
                        at::matmul(at::silu(sides[1]), p["linear1.w2"])) /
             (n * std::sqrt(static_cast<double>(dim)));
    w = w / (w.norm(2, {1}, true) + 1) + p["linear1.w"];
    h = at::matmul(h, w) + p["linear1.b"];
  } else {
    h = linear("linear1", h);
  }
  return x + parts[5].unsqueeze(1) * linear("linear2", at::gelu(h, "tanh"));
}

at::Tensor plain_forward(DiTImpl& model, const Inputs& in) {
  const auto p = model.named_parameters();
  const int64_t patch = model.options.patch_size(), out = model.out_channels();
  auto x = at::conv2d(in.x, p["x_embedder.proj.weight"], p["x_embedder.proj.bias"], patch);
  const Grid grid{x.size(2), x.size(3)};
  x = x.flatten(2).transpose(1, 2) + plain_position(model.options.dim(), grid);
  const auto c = at::silu(model.t_embedder->forward(in.t) +
                          p["y_embedder.embedding_table.weight"].index_select(0, in.y));
  for (size_t i = 0; i < model.blocks->size(); ++i) {
    x = plain_block(model.blocks[i]->named_parameters(), i % 3 == 1, x, c, grid);
  }
  const auto parts = at::linear(c, p["final_layer.adaLN_modulation.1.weight"],
                                p["final_layer.adaLN_modulation.1.bias"])
                         .chunk(2, 1);
  x = at::layer_norm(x, {x.size(2)}, {}, {}, 1e-6) * (1 + parts[1].unsqueeze(1)) +
      parts[0].unsqueeze(1);
  x = at::linear(x, p["final_layer.linear.weight"], p["final_layer.linear.bias"]);
  x = x.view({-1, grid.height, grid.width, patch, patch, out});
  return at::einsum("nhwpqc->nchpwq", {x}).reshape({-1, out, in.x.size(2), in.x.size(3)});
}

struct Rectangle {
  int64_t patch, height, width;
  bool learn_sigma;
};

TEST(DiT, MatchesTheOriginalOrderOfOperationsOnAnyRectangle) {
  for (const auto& [patch, height, width, sigma] :
       {Rectangle{2, 8, 12, true}, Rectangle{2, 10, 6, false}, Rectangle{4, 8, 20, true},
        Rectangle{2, 8, 8, false}, Rectangle{2, 2, 6, true}}) {
    const auto model = filled_nano(nano().patch_size(patch).learn_sigma(sigma));
    model->eval();
    model->to(torch::kDouble);
    // The table in the model is float32; the positions here are not.
    const torch::NoGradGuard no_grad;
    model->pos_embed.copy_(plain_position(32, {8 / patch, 8 / patch}));
    const torch::AutoGradMode grad(true);
    auto in = inputs(2, height, width);
    in.x = in.x.to(torch::kDouble).requires_grad_();
    auto leaves = model->parameters();
    leaves.erase(std::remove_if(leaves.begin(), leaves.end(),
                                [](const at::Tensor& p) { return !p.requires_grad(); }),
                 leaves.end());
    leaves.push_back(in.x);
    const auto gradients = [&](const at::Tensor& y) {
      return torch::autograd::grad({y}, leaves,
                                   {filled("input.grad", y.sizes()).to(torch::kDouble)});
    };
    const auto got = model->forward(in.x, in.t, in.y), want = plain_forward(*model, in);
    const auto what = str("patch ", patch, ", ", height, " x ", width);
    expect_close(got, want, 1e-11, what);
    const auto got_grads = gradients(got), want_grads = gradients(want);
    for (size_t i = 0; i < leaves.size(); ++i) {
      expect_close(got_grads[i], want_grads[i], 1e-9, str(what, ": gradient ", i));
    }
  }
}

TEST(DiT, GuidanceMixesOnlyTheFirstThreeChannels) {
  const auto model = filled_nano();
  model->eval();
  auto [x, t, y] = inputs(4, 8, 8);
  t = t.slice(0, 0, 1).expand({4});
  y = torch::tensor({1, 7, 10, 10});
  const auto doubled = torch::cat({x.slice(0, 0, 2), x.slice(0, 0, 2)});
  const auto out = model->forward(doubled, t, y);
  const auto one = model->forward_guided(x, t, y, 1.0), three = model->forward_guided(x, t, y, 3.0);
  const auto eps = [](const at::Tensor& o, int64_t half) {
    return o.slice(0, 2 * half, 2 * half + 2).slice(1, 0, 3);
  };
  expect_close(eps(one, 0), eps(out, 0), 1e-6, "guidance 1 is the labelled half");
  expect_close(eps(three, 0), 3 * eps(out, 0) - 2 * eps(out, 1), 1e-5, "guidance 3");
  EXPECT_TRUE(torch::equal(eps(three, 0), eps(three, 1)));
  EXPECT_TRUE(torch::equal(three.slice(1, 3), out.slice(1, 3)));
}

TEST(DiT, LabelsAreDroppedByItsGeneratorOnlyInTraining) {
  const auto model = filled_nano(nano().label_drop(0.5));
  const auto [x, t, y] = inputs(8, 8, 8);
  auto generator = at::make_generator<at::CPUGeneratorImpl>(7);
  model->set_generator(generator);
  const auto first = model->forward(x, t, y), second = model->forward(x, t, y);
  EXPECT_FALSE(torch::equal(first, second));
  generator.set_current_seed(7);
  torch::manual_seed(123);
  EXPECT_TRUE(torch::equal(first, model->forward(x, t, y)));
  model->eval();
  const auto drawn = generator.get_state();
  const auto labelled = model->forward(x, t, y);
  EXPECT_TRUE(torch::equal(generator.get_state(), drawn));

  const auto blind = filled_nano(nano().label_drop(1));
  EXPECT_TRUE(torch::equal(blind->forward(x, t, y),
                           model->forward(x, t, torch::full_like(y, model->null_class()))));
  blind->eval();
  EXPECT_TRUE(torch::equal(blind->forward(x, t, y), labelled));
}

TEST(DiT, WithoutLabelDropoutThereIsNoNullClass) {
  const auto model = filled_nano(nano().label_drop(0));
  EXPECT_EQ(model->y_embedder->embedding_table->weight.size(0), 10);
  const auto in = inputs(1, 8, 8);
  EXPECT_EQ(error_of([&] { model->forward(in.x, in.t, in.y + 10); }),
            "labels: expected 0 … 9, got 10");
}

TEST(DiT, ActivationCheckpointingIsBitIdentical) {
  for (const bool amp : {false, true}) {
    std::vector<std::vector<at::Tensor>> gradients;
    std::vector<at::Tensor> outputs;
    for (const bool recompute : {false, true}) {
      const auto model = filled_nano(nano().recompute(recompute));
      auto generator = at::make_generator<at::CPUGeneratorImpl>(7);
      model->set_generator(generator);
      auto [x, t, y] = inputs(4, 6, 10);
      x.requires_grad_();
      {
        const MixedPrecision mixed(amp ? std::optional<Precision>(torch::kBFloat16) : std::nullopt,
                                   torch::kCPU);
        outputs.push_back(model->forward(x, t, y).to(torch::kFloat));
      }
      const auto drawn = generator.get_state();
      outputs.back().square().sum().backward();
      EXPECT_TRUE(torch::equal(generator.get_state(), drawn)) << "the backward pass drew too";
      auto& all = gradients.emplace_back();
      for (const auto& p : model->parameters()) {
        if (p.requires_grad()) all.push_back(p.grad());
      }
      all.push_back(x.grad());
    }
    EXPECT_TRUE(torch::equal(outputs[0], outputs[1]))
        << (amp ? "bfloat16 " : "float32 ") << relative_error(outputs[0], outputs[1]);
    ASSERT_EQ(gradients[0].size(), gradients[1].size());
    for (size_t i = 0; i < gradients[0].size(); ++i) {
      ASSERT_TRUE(gradients[1][i].defined()) << i;
      EXPECT_TRUE(torch::equal(gradients[0][i], gradients[1][i])) << i;
    }
  }
}

TEST(DiT, UnderAutocastOutputsAndGradientsStayClose) {
  const auto file = golden("models/dit_nano.safetensors");
  const auto model = filled_nano();
  model->eval();
  const auto x = filled("input.x", {4, 4, 8, 8});
  at::Tensor out;
  {
    const MixedPrecision mixed(torch::kBFloat16, torch::kCPU);
    out = model->forward(x, file.tensors.at("t"), file.tensors.at("y"));
  }
  out.to(torch::kFloat).backward(filled("input.grad", out.sizes()));
  // PyTorch itself, in the published order of operations: 0.008, and 0.03 for the worst gradient.
  RecordProperty("output_error", str(relative_error(out, file.tensors.at("out"))));
  EXPECT_LT(relative_error(out, file.tensors.at("out")), 0.02);
  double worst = 0;
  for (const auto& item : model->named_parameters()) {
    if (!item.value().requires_grad()) continue;
    const auto& gradient = item.value().grad();
    EXPECT_EQ(gradient.scalar_type(), torch::kFloat) << item.key();
    const double error = relative_error(gradient, file.tensors.at("grad." + item.key()));
    EXPECT_LT(error, 0.06) << item.key();
    worst = std::max(worst, error);
  }
  RecordProperty("worst_gradient_error", str(worst));
}

TEST(DiT, InvalidInputIsOneLine) {
  const auto model = create_dit("dit_nano");
  const auto in = inputs(2, 8, 8);
  const at::Tensor x = in.x, t = in.t, y = in.y;
  const auto message_for = [&](const at::Tensor& latents, const at::Tensor& steps,
                               const at::Tensor& labels) {
    return error_of([&] { model->forward(latents, steps, labels); });
  };
  EXPECT_EQ(message_for(torch::zeros({2, 4, 8, 7}), t, y),
            "DiT: expected latents whose height and width are multiples of the patch, 2, got "
            "[2, 4, 8, 7]");
  EXPECT_EQ(message_for(torch::zeros({2, 3, 8, 8}), t, y),
            "DiT: expected latents (B, 4, H, W), got [2, 3, 8, 8]");
  EXPECT_EQ(message_for(x, t.slice(0, 1), y), "DiT: expected steps t of shape [2], got [1]");
  EXPECT_EQ(message_for(x, t, y.unsqueeze(0)), "DiT: expected labels y of shape [2], got [1, 2]");
  EXPECT_EQ(message_for(x, t, y - 1), "labels: expected 0 … 10 (10 is the null class), got -1");
  EXPECT_EQ(message_for(x, t, y + 9), "labels: expected 0 … 10 (10 is the null class), got 12");
  EXPECT_EQ(message_for(x, t, y.to(torch::kFloat)),
            "labels: expected int64 of one dimension, got Float "
            "[2]");
  EXPECT_EQ(error_of([&] { model->forward_guided(x.slice(0, 1), t, y, 4); }),
            "DiT: guidance takes a doubled batch (2B, C, H, W), got [1, 4, 8, 8]");
  EXPECT_EQ(error_of([] { DiT(nano().latent_size(7)); }),
            "DiT: latent_size must be a multiple of patch_size, got 7 and 2");
}

TEST(DiT, TheStateDictImpliesTheOptions) {
  const auto other = nano().num_classes(6).latent_size(12).channels(3).learn_sigma(false);
  const auto found = dit_options("dit_nano", state_dict(*std::make_shared<DiTImpl>(other)));
  EXPECT_EQ(found.num_classes(), 6);
  EXPECT_EQ(found.latent_size(), 12);
  EXPECT_EQ(found.channels(), 3);
  EXPECT_FALSE(found.learn_sigma());
  EXPECT_TRUE(dit_options("dit_nano", state_dict(*create_dit("dit_nano"))).learn_sigma());
  EXPECT_EQ(dit_options("dit_nano", {}).num_classes(), 10);
}

}  // namespace
}  // namespace wf::testing
