#include "weightformer/nn/mixed_precision.h"

#include "weightformer/models/dit.h"
#include "weightformer/models/weightformer.h"

#include "core/drop_data.h"
#include "support/fill.h"
#include "support/recorded_ops.h"

#include <ATen/autocast_mode.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <set>

namespace wf::testing {
namespace {

// A network and a training pass of it on a device.
struct Network {
  std::shared_ptr<torch::nn::Module> module;
  std::function<at::Tensor(c10::Device)> forward;

  void train(c10::Device device, const std::optional<Precision>& precision) const {
    if (device.is_meta()) {
      for (const auto& parameter : module->parameters()) drop_data(parameter);
    }
    at::Tensor y;
    {
      const MixedPrecision mixed(precision, device.type());
      y = forward(device);
    }
    y.to(torch::kFloat).square().mean().backward();
  }
};

std::vector<Network> networks() {
  const auto classifier = std::make_shared<WeightFormerImpl>(classifier_options("wfm_nano"));
  const auto dit = std::make_shared<DiTImpl>(dit_options("dit_nano").drops_labels(false));
  for (const std::shared_ptr<torch::nn::Module>& module :
       {std::shared_ptr<torch::nn::Module>(classifier), std::shared_ptr<torch::nn::Module>(dit)}) {
    fill_parameters(*module);
    module->train();
  }
  return {
      {classifier,
       [classifier](c10::Device device) {
         return classifier->forward(filled("input.x", {2, 3, 64, 64}).to(device));
       }},
      {dit, [dit](c10::Device device) {
         const auto t = torch::tensor({3, 500}).to(device), y = torch::tensor({1, 7}).to(device);
         return dit->forward(filled("input.x", {2, 4, 8, 8}).to(device), t, y);
       }}};
}

// The dtypes that this library's operators, and PyTorch's products and activations, got and gave.
std::set<std::string> dtypes_of(const std::vector<RecordedOp>& ops) {
  static const std::set<std::string> others{"aten::mm", "aten::addmm", "aten::gelu", "aten::silu",
                                            "aten::gelu_backward"};
  std::set<std::string> found;
  for (const auto& op : ops) {
    if (op.name.rfind("wf::", 0) != 0 && others.count(op.name) == 0) continue;
    auto what = op.name;
    for (const auto* side : {&op.inputs, &op.outputs}) {
      what += side == &op.inputs ? ":" : " ->";
      for (const auto& t : *side) what += t.defined() ? wf::str(" ", t.scalar_type()) : " none";
    }
    found.insert(what);
  }
  return found;
}

// Tensors without data have no autocast: equal dtypes mean that the layers cast by themselves, and
// what they do on them they do on a GPU.
TEST(MixedPrecision, EveryDeviceComputesInTheSameDtypes) {
  // LibTorch looks up no labels without data, as the DiT does.
  const auto on = [](c10::Device device) {
    const auto network = networks().front();
    return dtypes_of(recorded_ops([&] { network.train(device, Precision(torch::kBFloat16)); }));
  };
  const auto with_data = on(torch::kCPU), without_data = on(torch::kMeta);
  EXPECT_GT(with_data.size(), 10u);
  EXPECT_EQ(with_data, without_data);
}

TEST(MixedPrecision, TokensAreFloat32AndProductsShort) {
  const auto network = networks().front();
  int convolutions = 0, products = 0;
  for (const auto& op :
       recorded_ops([&] { network.train(torch::kMeta, Precision(torch::kBFloat16)); })) {
    if (op.name == "wf::dynamic_dwconv") {
      EXPECT_EQ(op.inputs[0].scalar_type(), torch::kFloat);
      EXPECT_EQ(op.outputs[0].scalar_type(), torch::kFloat);
      ++convolutions;
    }
    if (op.name == "aten::addmm" || op.name == "wf::dynamic_linear") {
      for (const auto& t : op.inputs) EXPECT_EQ(t.scalar_type(), torch::kBFloat16) << op.name;
      ++products;
    }
  }
  EXPECT_GE(convolutions, 5);
  EXPECT_GE(products, 10);
}

TEST(MixedPrecision, AnAutocastOfTheCallerIsThePublishedOrder) {
  for (const auto& network : networks()) {
    network.module->eval();
    const torch::NoGradGuard no_grad;
    at::Tensor own, foreign;
    {
      const MixedPrecision mixed(Precision(torch::kBFloat16, TokenType::autocast), torch::kCPU);
      own = network.forward(torch::kCPU);
    }
    at::autocast::set_autocast_dtype(torch::kCPU, torch::kBFloat16);
    at::autocast::set_autocast_enabled(torch::kCPU, true);
    const auto seen = MixedPrecision::current(torch::kCPU);
    foreign = network.forward(torch::kCPU);
    at::autocast::set_autocast_enabled(torch::kCPU, false);
    at::autocast::clear_cache();
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->products, torch::kBFloat16);
    EXPECT_EQ(seen->tokens, TokenType::autocast);
    EXPECT_TRUE(torch::equal(own, foreign));
  }
}

TEST(MixedPrecision, EndsWithItsScope) {
  EXPECT_FALSE(MixedPrecision::current(torch::kCPU));
  {
    const MixedPrecision outer(torch::kBFloat16, torch::kCPU);
    EXPECT_TRUE(at::autocast::is_autocast_enabled(torch::kCPU)) << "for code of others";
    {
      const MixedPrecision inner(std::nullopt, torch::kCPU);
      EXPECT_FALSE(MixedPrecision::current(torch::kCPU));
      EXPECT_FALSE(at::autocast::is_autocast_enabled(torch::kCPU));
    }
    EXPECT_EQ(MixedPrecision::current(torch::kCPU)->products, torch::kBFloat16);
    EXPECT_FALSE(MixedPrecision::current(torch::kMeta)) << "of another device";
  }
  EXPECT_FALSE(MixedPrecision::current(torch::kCPU));
  EXPECT_FALSE(at::autocast::is_autocast_enabled(torch::kCPU));
}

}  // namespace
}  // namespace wf::testing
