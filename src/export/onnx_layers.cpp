#include "export/onnx_layers.h"

#include "weightformer/core/check.h"
#include "weightformer/nn/mixers.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/scalar_tensor.h>

#include <cmath>
#include <limits>

namespace wf::onnx {
namespace {

constexpr double kEpsilon = 1e-6;  // of every layer normalization

double root(int64_t dim) { return std::sqrt(static_cast<double>(dim)); }

}  // namespace

// --- values and tensors -----------------------------------------------------------------------

Value Layers::cast(const Value& x, Type type) {
  return graph_.node("Cast", {x}, {{"to", static_cast<int64_t>(type)}});
}

Value Layers::to_model_type(const Value& x) {
  return options_.float16 ? cast(x, Type::float16) : x;
}

Value Layers::to_float32(const Value& x) { return options_.float16 ? cast(x, Type::float32) : x; }

Value Layers::reshaped(const Value& x, const std::vector<int64_t>& shape) {
  return graph_.node("Reshape", {x, graph_.ints(shape)});
}

Value Layers::transposed(const Value& x, const std::vector<int64_t>& permutation) {
  return graph_.node("Transpose", {x}, {{"perm", permutation}});
}

// Of the height and width of x: [B, H, W, C].
Value Layers::sliced(const Value& x, const std::vector<int64_t>& starts,
                     const std::vector<int64_t>& ends, int64_t step) {
  return graph_.node("Slice", {x, graph_.ints(starts), graph_.ints(ends), graph_.ints({1, 2}),
                               graph_.ints({step, step})});
}

const at::Tensor& Layers::stored(const std::string& name) const {
  const auto found = weights_.find(name);
  WF_CHECK(found != weights_.end(), "ONNX export: the model has no tensor ", name);
  return found->second;
}

Value Layers::weight(const std::string& name, const at::Tensor& tensor) {
  return graph_.tensor(name, tensor.to(options_.float16 ? at::kHalf : at::kFloat));
}

Value Layers::scalar32(double value) {
  return graph_.tensor(str("float ", value), at::scalar_tensor(value, at::kFloat));
}

Value Layers::scalar(double value) {
  if (!options_.float16) return scalar32(value);
  return graph_.tensor(str("half ", value), at::scalar_tensor(value, at::kHalf));
}

// --- layers of every network ------------------------------------------------------------------

Value Layers::linear(const Value& x, const std::string& name) {
  // Also for a 1 x 1 convolution; ONNX multiplies from the other side.
  const auto product =
      matmul(x, weight(name + ".weight.T", stored(name + ".weight").flatten(1).t()));
  const auto bias = weights_.find(name + ".bias");
  return bias == weights_.end() ? product : add(product, weight(bias->first, bias->second));
}

Value Layers::layer_norm(const Value& x, const std::string& name) {
  const auto parameter = [&](const char* end) { return weight(name + end, stored(name + end)); };
  return graph_.node("LayerNormalization", {x, parameter(".weight"), parameter(".bias")},
                     {{"axis", -1}, {"epsilon", kEpsilon}});
}

Value Layers::layer_norm(const Value& x, int64_t dim) {
  return graph_.node("LayerNormalization", {x, weight(str("ones ", dim), at::ones({dim}))},
                     {{"axis", -1}, {"epsilon", kEpsilon}});
}

Value Layers::modulate(const Value& x, const Value& shift, const Value& scale) {
  return add(multiply(x, add(scale, scalar(1))), shift);
}

Value Layers::gelu(const Value& x, Gelu kind) {
  return graph_.node("Gelu", {x}, {{"approximate", std::string(approximate(kind))}});
}

Value Layers::silu(const Value& x) { return multiply(x, graph_.node("Sigmoid", {x})); }

Value Layers::patch_embed(const Value& image, const std::string& name) {
  graph_.scope(name);
  const auto& kernel = stored(name + ".proj.weight");
  const auto convolved = graph_.node("Conv",
                                     {image, weight(name + ".proj.weight", kernel),
                                      weight(name + ".proj.bias", stored(name + ".proj.bias"))},
                                     {{"strides", std::vector<int64_t>(2, kernel.size(2))}});
  const auto size = [&](int64_t axis) {
    return graph_.node("Shape", {convolved}, {{"start", axis}, {"end", axis + 1}});
  };
  const auto height = size(2), width = size(3);
  rows_ = side_of(height);
  columns_ = side_of(width);
  inverse_tokens_ = graph_.node("Reciprocal", {cast(multiply(height, width), Type::float32)});
  return transposed(convolved, {0, 2, 3, 1});
}

// Cell i of three averages the indices [i n / 3, ((i + 1) n + 2) / 3), see ops/grid_pool3.h.
Layers::Side Layers::side_of(const Value& count) {
  const auto begins = at::arange(3, at::kLong).unsqueeze(1);
  const auto three = graph_.ints({3});
  const auto begin = divide(multiply(count, graph_.tensor("cell", begins)), three);
  const auto end =
      divide(add(multiply(count, graph_.tensor("next cell", begins + 1)), graph_.ints({2})), three);
  const auto whole = [&](int64_t value) {
    return graph_.tensor(str("int ", value), at::scalar_tensor(value, at::kLong));
  };
  const auto indices =
      graph_.node("Range", {whole(0), graph_.node("Squeeze", {count, graph_.ints({0})}), whole(1)});
  const auto inside = graph_.node("And", {graph_.node("GreaterOrEqual", {indices, begin}),
                                          graph_.node("Less", {indices, end})});
  const auto size = cast(graph_.node("Sub", {end, begin}), Type::float32);
  return {to_model_type(divide(cast(inside, Type::float32), size)), indices};
}

// --- convolutions -----------------------------------------------------------------------------

Value Layers::convolve(const Value& x, const std::string& name, int64_t layer,
                       const std::optional<Modulation>& modulation) {
  graph_.scope(name);
  const auto input = modulation ? modulate(x, modulation->shift, modulation->scale) : x;
  const auto y = is_dynamic_layer(layer) ? dynamic_conv(input, name) : static_conv(input, name);
  return add(x, modulation ? multiply(y, modulation->gate) : y);
}

Value Layers::static_conv(const Value& x, const std::string& name) {
  const auto& kernel = stored(name + ".weight");
  const auto y =
      graph_.node("Conv",
                  {transposed(x, {0, 3, 1, 2}), weight(name + ".weight", kernel),
                   weight(name + ".bias", stored(name + ".bias"))},
                  {{"group", kernel.size(0)}, {"pads", std::vector<int64_t>{1, 1, 1, 1}}});
  return transposed(y, {0, 2, 3, 1});
}

// Nine shifted images times their taps: a convolution with one group for each sample and channel
// would fix the batch size.
Value Layers::dynamic_conv(const Value& x, const std::string& name) {
  constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();
  const auto taps = graph_.nodes("Split", {predicted_taps(x, name)}, 9,
                                 {{"axis", 1}, {"num_outputs", 9}});  // each [B, 1, 1, C]
  const auto padded = graph_.node("Pad", {x, graph_.ints({0, 1, 1, 0, 0, 1, 1, 0})});
  const auto end = [](int64_t start) { return start == 2 ? kEnd : start - 2; };
  auto y = weight(name + ".b", stored(name + ".b"));
  for (int64_t t = 0; t < 9; ++t) {
    const int64_t row = t / 3, column = t % 3;
    y = add(y, multiply(sliced(padded, {row, column}, {end(row), end(column)}, 1), taps[t]));
  }
  return y;
}

// [B, 9, 1, C]: predicted / (‖predicted‖ + 1) + w.
Value Layers::predicted_taps(const Value& x, const std::string& name) {
  const auto& w = stored(name + ".w");  // [C, 1, 3, 3]
  const auto cells = grid_pool3(x, w.size(0));
  const auto predicted = linear(gelu(linear(cells, name + ".wfm.0"), Gelu::exact), name + ".wfm.2");
  const auto norm = graph_.node("ReduceL2", {predicted, graph_.ints({1})});
  const auto taps =
      add(divide(predicted, add(norm, scalar(1))), weight(name + ".w.T", w.flatten(1).t()));
  return graph_.node("Unsqueeze", {taps, graph_.ints({2})});
}

// [B, 9, C], by one product for each side.
Value Layers::grid_pool3(const Value& x, int64_t dim) {
  const auto across = reshaped(matmul(columns_.cells, x), {0, 0, 3 * dim});
  return reshaped(matmul(rows_.cells, across), {0, 9, dim});
}

// --- linear layers ----------------------------------------------------------------------------

Value Layers::mlp(const Value& x, const std::string& name, int64_t layer, Gelu kind) {
  graph_.scope(name + ".linear1");
  const auto hidden =
      is_dynamic_layer(layer) ? dynamic_linear(x, name + ".linear1") : linear(x, name + ".linear1");
  graph_.scope(name + ".linear2");
  return linear(gelu(hidden, kind), name + ".linear2");
}

// Means of 2 x 2 tokens, without an odd last row or column: [B, R, C], R = (H / 2) (W / 2).
Value Layers::token_pool(const Value& x, int64_t dim) {
  constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();
  const auto part = [&](int64_t row, int64_t column) {
    return sliced(x, {row, column}, {row ? kEnd : -1, column ? kEnd : -1}, 2);
  };
  const auto sum = add(add(part(0, 0), part(0, 1)), add(part(1, 0), part(1, 1)));
  return reshaped(multiply(sum, scalar(0.25)), {0, -1, dim});
}

// See ops/dynamic_linear.h and docs/kernels.md.
Value Layers::dynamic_linear(const Value& x, const std::string& name) {
  const auto parameter = [&](const char* end) { return weight(name + end, stored(name + end)); };
  const auto in = stored(name + ".w").size(0), out = stored(name + ".w").size(1);
  const auto hidden = silu(linear(token_pool(x, in), name + ".wfm"));
  const auto parts = graph_.nodes("Split", {hidden, graph_.ints({in / 4, out / 4})}, 2,
                                  {{"axis", -1}});  // [B, R, C/4], [B, R, D/4]
  const auto left = matmul(parts[0], parameter(".w1")), right = matmul(parts[1], parameter(".w2"));
  const auto tokens = reshaped(x, {0, -1, in});  // [B, N, C]
  Value y;
  if (options_.merged) {
    y = matmul(tokens, merged(left, right, parameter(".w"), in));
  } else {
    const auto asked = transposed(multiply(left, scalar(1 / root(in))), {0, 2, 1});
    y = add(matmul(tokens, parameter(".w")),
            matmul(matmul(tokens, asked), gained(left, right, in)));
  }
  const auto grid = graph_.node("Shape", {x}, {{"end", 3}});
  const auto shape = graph_.node("Concat", {grid, graph_.ints({out})}, {{"axis", 0}});
  return graph_.node("Reshape", {add(y, parameter(".b")), shape});
}

// right / (norm + 1) / N, with the norms of the columns of leftᵀ right / (√C N) by the Gram matrix
// of `left`. In float32, since float16 cannot hold the squares.
Value Layers::gained(const Value& left, const Value& right, int64_t dim) {
  const auto wide = to_float32(left), q = to_float32(right);
  const auto gram = matmul(wide, transposed(wide, {0, 2, 1}));
  const auto energy = graph_.node("ReduceSum", {multiply(q, matmul(gram, q)), graph_.ints({1})});
  const auto length = graph_.node("Sqrt", {graph_.node("Relu", {energy})});
  const auto norm = multiply(length, multiply(inverse_tokens_, scalar32(1 / root(dim))));
  return to_model_type(multiply(divide(q, add(norm, scalar32(1))), inverse_tokens_));
}

// W + P / (norm + 1) with P = leftᵀ right / (√C N): [B, C, D].
Value Layers::merged(const Value& left, const Value& right, const Value& weight, int64_t dim) {
  const auto scaled =
      multiply(to_float32(left), multiply(inverse_tokens_, scalar32(1 / root(dim))));
  const auto predicted = matmul(transposed(scaled, {0, 2, 1}), to_float32(right));
  const auto norm = graph_.node("ReduceL2", {predicted, graph_.ints({1})});
  return add(to_model_type(divide(predicted, add(norm, scalar32(1)))), weight);
}

// --- blocks -----------------------------------------------------------------------------------

Value Layers::block(const Value& x, const std::string& name, int64_t layer) {
  graph_.scope(name);
  const auto normed = is_dynamic_layer(layer) ? layer_norm(x, name + ".norm1") : x;
  const auto mixed = convolve(normed, name + ".dwc", layer);
  graph_.scope(name);
  return add(mixed, mlp(layer_norm(mixed, name + ".norm2"), name, layer, Gelu::exact));
}

std::vector<Value> Layers::ada_ln(const Value& condition, const std::string& name, size_t parts) {
  const auto all = graph_.node(
      "Unsqueeze", {linear(condition, name + ".adaLN_modulation.1"), graph_.ints({1, 2})});
  return graph_.nodes("Split", {all}, parts,
                      {{"axis", -1}, {"num_outputs", static_cast<int64_t>(parts)}});
}

Value Layers::dit_block(const Value& x, const Value& condition, const std::string& name,
                        int64_t layer) {
  graph_.scope(name);
  const auto dim = stored(name + ".linear2.bias").size(0);
  const auto parts = ada_ln(condition, name, 6);
  const auto mixed =
      convolve(layer_norm(x, dim), name + ".dwc", layer, Modulation{parts[0], parts[1], parts[2]});
  graph_.scope(name);
  const auto update =
      mlp(modulate(layer_norm(mixed, dim), parts[3], parts[4]), name, layer, Gelu::tanh);
  return add(mixed, multiply(update, parts[5]));
}

Value Layers::final_layer(const Value& x, const Value& condition, const std::string& name) {
  graph_.scope(name);
  const auto dim = stored(name + ".linear.weight").size(1);
  const auto parts = ada_ln(condition, name, 2);
  return linear(modulate(layer_norm(x, dim), parts[0], parts[1]), name + ".linear");
}

// --- embeddings of diffusion models -----------------------------------------------------------

// The position times 10000^(-i / (dim/4)): sines, then cosines, [size, dim/2].
Value Layers::encoded(const Side& side, int64_t dim) {
  const double quarter = static_cast<double>(dim / 4);
  const auto rates = (at::arange(dim / 4, at::kDouble) * (-std::log(10000.0) / quarter)).exp();
  const auto indices =
      graph_.node("Unsqueeze", {cast(side.indices, Type::float32), graph_.ints({1})});
  const auto angles = multiply(indices, graph_.tensor("position rates", rates.to(at::kFloat)));
  return graph_.node("Concat", {graph_.node("Sin", {angles}), graph_.node("Cos", {angles})},
                     {{"axis", 1}});
}

Value Layers::positions(int64_t dim) {
  graph_.scope("pos_embed");
  const auto half = dim / 2;
  const auto columns =
      graph_.node("Unsqueeze", {encoded(columns_, dim), graph_.ints({0})});  // [1, W, C/2]
  const auto rows =
      graph_.node("Unsqueeze", {encoded(rows_, dim), graph_.ints({1})});  // [H, 1, C/2]
  const auto padded = [&](const Value& x, int64_t before, int64_t after) {
    return graph_.node("Pad", {x, graph_.ints({0, 0, before, 0, 0, after})});
  };
  return to_model_type(add(padded(columns, 0, half), padded(rows, half, 0)));
}

Value Layers::timestep_embedder(const Value& t, const std::string& name) {
  graph_.scope(name);
  const auto half = stored(name + ".mlp.0.weight").size(1) / 2;
  // As in nn/timestep_embedder.cpp, in float32.
  const auto rates = at::exp(at::arange(half, at::kFloat) * -std::log(10000.0) / half);
  const auto angles = multiply(graph_.node("Unsqueeze", {t, graph_.ints({1})}),
                               graph_.tensor("timestep rates", rates));
  const auto waves = graph_.node(
      "Concat", {graph_.node("Cos", {angles}), graph_.node("Sin", {angles})}, {{"axis", 1}});
  return linear(silu(linear(to_model_type(waves), name + ".mlp.0")), name + ".mlp.2");
}

Value Layers::label_embedder(const Value& labels, const std::string& name) {
  graph_.scope(name);
  const auto table = name + ".embedding_table.weight";
  return graph_.node("Gather", {weight(table, stored(table)), labels});
}

}  // namespace wf::onnx
