// The layers of src/nn as nodes of an ONNX graph: one function for each type of layer.
#pragma once

#include "weightformer/nn/fused_linear.h"
#include "weightformer/serialization/safetensors.h"

#include "export/onnx_graph.h"

#include <optional>
#include <string>
#include <vector>

namespace wf::onnx {

struct LayerOptions {
  bool float16 = false;  ///< weights and arithmetic; otherwise float32
  /// Order of the dynamic linear layers: merged makes one matrix for each sample, factored none;
  /// see docs/kernels.md.
  bool merged = false;
};

/// Shift and scale of the input and gate of the output, as in DiT: each [B, 1, 1, C].
struct Modulation {
  Value shift, scale, gate;
};

/// Adds layers to a graph. Each function takes the name of its module in the state dict. Unlike in
/// src/nn, tokens have the shape [B, H, W, C], so that the graph serves any size: H and W are read
/// from them.
class Layers {
 public:
  Layers(Graph& graph, TensorMap weights, const LayerOptions& options)
      : graph_(graph), weights_(std::move(weights)), options_(options) {}

  /// image: [B, C, H * patch, W * patch] → tokens. Must come first: all other layers have its grid.
  Value patch_embed(const Value& image, const std::string& name);

  /// x weightᵀ + bias, of x: [..., C].
  Value linear(const Value& x, const std::string& name);
  /// Layer normalization over the last dimension; without `name`, without affine parameters.
  Value layer_norm(const Value& x, const std::string& name);
  Value layer_norm(const Value& x, int64_t dim);
  /// x * (1 + scale) + shift.
  Value modulate(const Value& x, const Value& shift, const Value& scale);
  Value gelu(const Value& x, Gelu kind);
  Value silu(const Value& x);

  /// See nn/mixers.h, nn/block.h and nn/dit_block.h. `layer` is the index in the model, from 0.
  Value convolve(const Value& x, const std::string& name, int64_t layer,
                 const std::optional<Modulation>& modulation = std::nullopt);
  Value mlp(const Value& x, const std::string& name, int64_t layer, Gelu kind);
  Value block(const Value& x, const std::string& name, int64_t layer);
  Value dit_block(const Value& x, const Value& condition, const std::string& name, int64_t layer);
  Value final_layer(const Value& x, const Value& condition, const std::string& name);
  /// condition: [B, C] → `parts` values [B, 1, 1, C].
  std::vector<Value> ada_ln(const Value& condition, const std::string& name, size_t parts);

  /// Sine and cosine positions of the grid, [H, W, C]; see nn/sincos_position.h.
  Value positions(int64_t dim);
  /// t: [B] → [B, C]; see nn/timestep_embedder.h.
  Value timestep_embedder(const Value& t, const std::string& name);
  /// labels: [B], int64 → [B, C].
  Value label_embedder(const Value& labels, const std::string& name);

  /// `x` in the type that the model computes in, and in float32.
  Value to_model_type(const Value& x);
  Value to_float32(const Value& x);

  Graph& graph() { return graph_; }

 private:
  // Along one side of the grid: the weights of its three cells, [3, size], and its indices, [size].
  struct Side {
    Value cells, indices;
  };

  Value add(const Value& a, const Value& b) { return graph_.node("Add", {a, b}); }
  Value multiply(const Value& a, const Value& b) { return graph_.node("Mul", {a, b}); }
  Value divide(const Value& a, const Value& b) { return graph_.node("Div", {a, b}); }
  Value matmul(const Value& a, const Value& b) { return graph_.node("MatMul", {a, b}); }
  Value cast(const Value& x, Type type);
  Value reshaped(const Value& x, const std::vector<int64_t>& shape);
  Value transposed(const Value& x, const std::vector<int64_t>& permutation);
  Value sliced(const Value& x, const std::vector<int64_t>& starts, const std::vector<int64_t>& ends,
               int64_t step);

  const at::Tensor& stored(const std::string& name) const;
  // A tensor of the file in the type of the model.
  Value weight(const std::string& name, const at::Tensor& tensor);
  Value scalar(double value);    // in the type of the model
  Value scalar32(double value);  // float32

  Side side_of(const Value& count);
  Value static_conv(const Value& x, const std::string& name);
  Value dynamic_conv(const Value& x, const std::string& name);
  Value predicted_taps(const Value& x, const std::string& name);
  Value grid_pool3(const Value& x, int64_t dim);
  Value token_pool(const Value& x, int64_t dim);
  Value dynamic_linear(const Value& x, const std::string& name);
  Value gained(const Value& left, const Value& right, int64_t dim);
  Value merged(const Value& left, const Value& right, const Value& weight, int64_t dim);
  Value encoded(const Side& side, int64_t dim);

  Graph& graph_;
  TensorMap weights_;
  LayerOptions options_;
  Side rows_, columns_;
  Value inverse_tokens_;  // 1 / (H W), float32 [1]
};

}  // namespace wf::onnx
