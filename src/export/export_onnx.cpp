#include "export/export_onnx.h"

#include "weightformer/core/check.h"
#include "weightformer/models/dit.h"
#include "weightformer/models/weightformer.h"
#include "weightformer/ops/dynamic_linear.h"
#include "weightformer/serialization/weights.h"

#include "core/registry.h"
#include "export/onnx_layers.h"
#include "nn/sincos_position.h"

#include <ATen/ops/tensor.h>

#include <algorithm>

namespace wf {
namespace {

using onnx::Dim;
using onnx::Graph;
using onnx::Layers;
using onnx::Type;
using onnx::Value;

// Whether all layers of width `dim` merge; the rule of ops/dynamic_linear.cpp.
bool merges(const ExportOptions& options, int64_t dim, int64_t patch,
            const std::vector<int64_t>& size) {
  auto modes = dynamic_linear_modes();
  modes.erase(std::remove(modes.begin(), modes.end(), "reference"), modes.end());
  WF_CHECK(std::find(modes.begin(), modes.end(), options.dynamic_linear) != modes.end(),
           "--dynamic-linear ", options.dynamic_linear, ": known: ", join(modes, ", "));
  if (options.dynamic_linear != "auto") return options.dynamic_linear == "merged";
  return dynamic_linear_merges(size[0] / patch * (size[1] / patch), dim, 4 * dim);
}

// The published predictors are the only ones with nodes.
template <typename Network>
void require_published_predictors(const Network& network) {
  WF_CHECK(network.linear_predictor() == "bilateral" && network.conv_predictor() == "adaptive",
           "ONNX export: there is none for MODEL.LINEAR_PREDICTOR ", network.linear_predictor(),
           " with MODEL.CONV_PREDICTOR ", network.conv_predictor(),
           ", only for bilateral with adaptive");
}

// options.size, or the square of side `trained`.
std::vector<int64_t> checked_size(const ExportOptions& options, int64_t trained, int64_t patch) {
  if (!options.size) return {trained, trained};
  const auto& size = *options.size;
  WF_CHECK(size.size() == 2 && size[0] > 0 && size[1] > 0 && size[0] % patch == 0 &&
               size[1] % patch == 0,
           "--size ", size[0], " ", size[1],
           ": height and width must be positive multiples of the patch size, ", patch);
  return size;
}

Dim batch_dim(const ExportOptions& options) {
  return options.batch ? Dim(*options.batch) : Dim("batch");
}
Dim height_dim(const ExportOptions& options) {
  return options.size ? Dim((*options.size)[0]) : Dim("height");
}
Dim width_dim(const ExportOptions& options) {
  return options.size ? Dim((*options.size)[1]) : Dim("width");
}

// --- classifiers ------------------------------------------------------------------------------

// images: [B, 3, H, W], 0…255 → resized and cropped as by eval_crop(), but rounded once instead of
// after each of two passes.
Value resized(Graph& graph, const Value& images, const TransformOptions& transform) {
  const auto sides = eval_sides(transform);
  const bool bicubic = transform.interpolation == Interpolation::bicubic;
  const auto large =
      graph.node("Resize", {images, "", "", graph.ints({sides.resized, sides.resized})},
                 {{"antialias", 1},
                  {"axes", std::vector<int64_t>{2, 3}},
                  {"coordinate_transformation_mode", std::string("half_pixel")},
                  {"cubic_coeff_a", -0.5},
                  {"exclude_outside", 1},
                  {"mode", std::string(bicubic ? "cubic" : "linear")}});
  const auto limit = [&](const char* name, float value) {
    return graph.tensor(name, at::tensor(value));
  };
  const auto bytes =
      graph.node("Clip", {graph.node("Round", {large}), limit("black", 0), limit("white", 255)});
  const int64_t begin = sides.margin, end = begin + transform.size;
  return graph.node(
      "Slice", {bytes, graph.ints({begin, begin}), graph.ints({end, end}), graph.ints({2, 3})});
}

// uint8 [B, H, W, 3] → normalized [B, 3, H, W].
Value preprocessed(Graph& graph, const ExportOptions& options) {
  const bool any = options.resize;
  const auto images = graph.input("images", Type::uint8,
                                  {batch_dim(options), any ? Dim("height") : height_dim(options),
                                   any ? Dim("width") : width_dim(options), 3});
  graph.scope("preprocess");
  auto x = graph.node("Transpose", {images}, {{"perm", std::vector<int64_t>{0, 3, 1, 2}}});
  x = graph.node("Cast", {x}, {{"to", static_cast<int64_t>(Type::float32)}});
  if (options.resize) x = resized(graph, x, options.transform);
  const auto channels = [&](const char* name, const float(&values)[3]) {
    return graph.tensor(name, at::tensor(at::ArrayRef<float>(values, 3)).mul(255).view({3, 1, 1}));
  };
  x = graph.node("Sub", {x, channels("255 mean", kImagenetMean)});
  return graph.node("Div", {x, channels("255 std", kImagenetStd)});
}

void describe(Graph& graph, const ExportOptions& options) {
  const auto& transform = options.transform;
  graph.metadata("channels", "RGB");
  graph.metadata("image_size", std::to_string(transform.size));
  graph.metadata("resized_size", std::to_string(eval_sides(transform).resized));
  graph.metadata("interpolation",
                 transform.interpolation == Interpolation::bicubic ? "bicubic" : "bilinear");
}

Graph export_classifier(const WeightFormerImpl& model, const ExportOptions& options) {
  const auto& network = model.options;
  require_published_predictors(network);
  const auto size = checked_size(options, options.transform.size, network.patch_size());
  Graph graph;
  Layers layers(graph, state_dict(model),
                {options.float16, merges(options, network.dim(), network.patch_size(), size)});
  const auto images =
      options.preprocess
          ? preprocessed(graph, options)
          : graph.input("x", Type::float32,
                        {batch_dim(options), 3, height_dim(options), width_dim(options)});
  auto x = layers.patch_embed(layers.to_model_type(images), "patch_embed");
  x = layers.layer_norm(x, "init_norm");
  for (int64_t i = 0; i < network.depth(); ++i) x = layers.block(x, str("blocks.", i), i);
  graph.scope("head");
  const auto features = graph.node("ReduceMean", {layers.layer_norm(x, "norm"), graph.ints({1, 2})},
                                   {{"keepdims", 0}});
  graph.output(layers.to_float32(layers.linear(features, "head")), "logits", Type::float32,
               {batch_dim(options), network.num_classes()});
  describe(graph, options);
  return graph;
}

// --- diffusion models -------------------------------------------------------------------------

// The graph computes the positions of any grid, so those of the weights must be the usual ones.
void check_positions(const DiTImpl& model) {
  const int64_t side = model.options.latent_size() / model.options.patch_size();
  const auto usual = sincos_position(model.options.dim(), {side, side});
  const auto distance = (model.pos_embed.detach().cpu() - usual).abs().max().item<float>();
  WF_CHECK(distance < 1e-4, "ONNX export: pos_embed of these weights differs by ", distance,
           " from the sine and cosine positions, the only ones that can be exported");
}

Graph export_dit(const DiTImpl& model, const ExportOptions& options) {
  const auto& network = model.options;
  WF_CHECK(!options.preprocess, "--preprocess is for classifiers, and this is a diffusion model");
  const auto size = checked_size(options, network.latent_size(), network.patch_size());
  require_published_predictors(network);
  check_positions(model);
  Graph graph;
  const auto batch = batch_dim(options), height = height_dim(options), width = width_dim(options);
  Layers layers(graph, state_dict(model),
                {options.float16, merges(options, network.dim(), network.patch_size(), size)});
  const auto latents = graph.input("x", Type::float32, {batch, network.channels(), height, width});
  const auto t = graph.input("t", Type::float32, {batch});
  const auto y = graph.input("y", Type::int64, {batch});
  auto x = layers.patch_embed(layers.to_model_type(latents), "x_embedder");
  x = graph.node("Add", {x, layers.positions(network.dim())});
  const auto condition = layers.silu(graph.node(
      "Add", {layers.timestep_embedder(t, "t_embedder"), layers.label_embedder(y, "y_embedder")}));
  for (int64_t i = 0; i < network.depth(); ++i) {
    x = layers.dit_block(x, condition, str("blocks.", i), i);
  }
  x = layers.final_layer(x, condition, "final_layer");
  // [B, h, w, patch, patch, C] → [B, C, h patch, w patch]
  x = graph.node("Transpose", {x}, {{"perm", std::vector<int64_t>{0, 3, 1, 2}}});
  x = graph.node("DepthToSpace", {x}, {{"blocksize", network.patch_size()}});
  graph.output(layers.to_float32(x), "out", Type::float32,
               {batch, model.out_channels(), height, width});
  graph.metadata("latent_size", std::to_string(network.latent_size()));
  if (network.label_drop() > 0) {
    graph.metadata("null_class", std::to_string(model.null_class()));
  }
  return graph;
}

}  // namespace

onnx::Graph export_onnx(const Model& model, const ExportOptions& options) {
  const auto finished = [&](Graph graph) {
    for (const auto& [key, value] : options.metadata) graph.metadata(key, value);
    return graph;
  };
  if (const auto* classifier = dynamic_cast<const WeightFormerImpl*>(&model)) {
    return finished(export_classifier(*classifier, options));
  }
  if (const auto* dit = dynamic_cast<const DiTImpl*>(&model)) {
    return finished(export_dit(*dit, options));
  }
  throw Error("ONNX export: there is none for " + model.name() +
              "; WeightFormer classifiers and DiT have one");
}

}  // namespace wf
