// What is special about layer_norm; tests/ops/op_cases_test.cpp has the rest.

#include "weightformer/ops/layer_norm.h"

#include "weightformer/core/check.h"

#include "support/op_check.h"

#include <ATen/Parallel.h>

namespace wf::testing {
namespace {

struct Mixed {
  at::ScalarType tokens, update, result;
};

// x, update, scale, shift, gate
Tensors mixed_inputs(const Mixed& types, int64_t tokens = 5, int64_t channels = 24) {
  const auto device = torch::device(test_device());
  const auto vector = [&] { return torch::randn({2, channels}, device); };
  return {torch::randn({2, tokens, channels}, device).to(types.tokens),
          torch::randn({2, tokens, channels}, device).to(types.update), vector(), vector(),
          vector()};
}
NormOptions modulated(const Tensors& t, at::ScalarType result) {
  NormOptions o;
  o.update = t[1];
  o.scale = t[2];
  o.shift = t[3];
  o.gate = t[4];
  o.dtype = result;
  return o;
}

// The sum keeps the dtype of the tokens, and gradients that of what they belong to.
TEST(LayerNorm, MixesDtypesOfTokensUpdateAndResult) {
  torch::manual_seed(0);
  const at::ScalarType all[]{at::kFloat, at::kBFloat16, at::kHalf, at::kDouble};
  for (const auto tokens : all) {
    for (const auto update : all) {
      for (const auto result : all) {
        const auto what = wf::str(tokens, ", ", update, ", ", result);
        const auto inputs = mixed_inputs({tokens, update, result});
        Tensors leaves, wide;
        for (const auto& t : inputs) leaves.push_back(t.detach().requires_grad_());
        for (const auto& t : inputs) wide.push_back(t.cpu().to(at::kDouble).requires_grad_());
        const auto [sum, y] = layer_norm_fork(leaves[0], modulated(leaves, result));
        EXPECT_EQ(y.scalar_type(), result) << what;
        EXPECT_EQ(sum.scalar_type(), tokens) << what;
        const auto [wide_sum, wide_y] =
            reference::layer_norm(wide[0], modulated(wide, at::kDouble));
        const double allowed = 8 * std::max({tolerance(tokens), tolerance(update),
                                             tolerance(result), tolerance(at::kFloat)});
        expect_close(y.detach().cpu(), wide_y.detach(), allowed, what + ": y");
        expect_close(sum.detach().cpu(), wide_sum.detach(), allowed, what + ": sum");
        const auto weights = output_weights(wide_y);
        const auto grads = torch::autograd::grad(
            {y, sum}, leaves, {weights.to(y.options()), weights.to(sum.options())});
        const auto wide_grads = torch::autograd::grad({wide_y, wide_sum}, wide, {weights, weights});
        for (size_t i = 0; i < leaves.size(); ++i) {
          EXPECT_EQ(grads[i].scalar_type(), inputs[i].scalar_type()) << what << i;
          expect_close(grads[i].cpu(), wide_grads[i], allowed, wf::str(what, ": gradient ", i));
        }
      }
    }
  }
}

TEST(LayerNorm, AForkAddsTheGradientsOfBothBranchesOrTakesOne) {
  torch::manual_seed(0);
  const auto options = torch::dtype(at::kDouble).device(test_device());
  const auto x = torch::randn({2, 3, 8}, options).requires_grad_();
  NormOptions affine;
  affine.weight = torch::randn({8}, options);
  affine.bias = torch::randn({8}, options);
  const auto gradient = [&](bool ours, bool of_sum, bool of_y) {
    const auto [sum, y] = ours ? layer_norm_fork(x, affine) : reference::layer_norm(x, affine);
    auto loss = torch::zeros({}, options);
    if (of_sum) loss = loss + (sum * output_weights(sum)).sum();
    if (of_y) loss = loss + y.sin().sum();
    return torch::autograd::grad({loss}, {x})[0];
  };
  for (const auto& [of_sum, of_y] : {std::pair(true, true), {true, false}, {false, true}}) {
    expect_close(gradient(true, of_sum, of_y), gradient(false, of_sum, of_y), 1e-12, "x");
  }
}

TEST(LayerNorm, AForkWithoutAnUpdateReturnsItsArgument) {
  const auto x = torch::randn({2, 3, 8}, torch::device(test_device()));
  EXPECT_EQ(layer_norm_fork(x).first.const_data_ptr(), x.const_data_ptr());
}

TEST(LayerNorm, GradientsDoNotDependOnTheNumberOfThreads) {
  torch::manual_seed(0);
  const auto inputs = mixed_inputs({at::kFloat, at::kFloat, at::kFloat}, 100, 96);
  const Op op = [](const Tensors& t) { return layer_norm(t[0], modulated(t, at::kFloat)); };
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = run_with_gradients(op, inputs);
  at::set_num_threads(4);
  const auto four = run_with_gradients(op, inputs);
  at::set_num_threads(threads);
  for (size_t i = 0; i < inputs.size(); ++i) {
    EXPECT_TRUE(torch::equal(one.grads[i], four.grads[i])) << i;
  }
}

// On a GPU it does not fit into a block.
TEST(LayerNorm, TakesAWideToken) {
  torch::manual_seed(0);
  const auto inputs = mixed_inputs({at::kFloat, at::kFloat, at::kFloat}, 2, 5001);
  const auto of = [](auto function) -> Op {
    return [=](const Tensors& t) { return function(t[0], modulated(t, t[0].scalar_type())); };
  };
  expect_op_matches(
      of([](const auto& x, const auto& o) { return layer_norm(x, o); }),
      of([](const auto& x, const auto& o) { return reference::layer_norm(x, o).second; }), inputs,
      "wide", 3);
}

TEST(LayerNorm, AnErrorNamesTheArgument) {
  const auto x = torch::randn({2, 3, 8});
  const auto message = [&](const NormOptions& options) -> std::string {
    try {
      layer_norm(x, options);
      return "no error";
    } catch (const Error& error) {
      return error.what();
    }
  };
  NormOptions o;
  o.weight = torch::ones({8});
  EXPECT_EQ(message(o), "[layer_norm] weight and bias: expected both or neither");
  o.bias = torch::ones({7});
  EXPECT_EQ(message(o), "[layer_norm] bias: expected [8], got [7]");
  o.bias = torch::ones({8});
  o.scale = o.shift = torch::ones({2, 8});
  EXPECT_EQ(message(o), "[layer_norm] weight and scale: expected one of them");
  NormOptions gated;
  gated.gate = torch::ones({2, 8});
  EXPECT_EQ(message(gated), "[layer_norm] gate: expected an update to multiply");
}

}  // namespace
}  // namespace wf::testing
