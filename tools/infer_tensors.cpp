#include "weightformer/core/check.h"
#include "weightformer/models/dit.h"
#include "weightformer/serialization/weights.h"

#include "core/registry.h"
#include "engine/build.h"
#include "engine/classification/build.h"
#include "engine/diffusion/build.h"
#include "infer.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <iostream>

namespace wf {
namespace {

// The tensor `name` of the input.
at::Tensor take(const InferArguments& a, const Safetensors& input, const char* name,
                const char* expected) {
  const auto found = input.tensors.find(name);
  WF_CHECK(found != input.tensors.end(), a.input, ": no tensor '", name, "' in it", expected);
  return found->second;
}

int finish(const InferArguments& a, const TensorMap& results) {
  write_safetensors(a.output, {results, {}});
  for (const auto& [name, result] : results) {
    std::cout << a.output << ": " << name << " " << result.sizes() << "\n";
  }
  return 0;
}

TensorMap token_grids(Classifier& model, const at::Tensor& images,
                      const std::vector<int64_t>& blocks) {
  const auto grids = model.forward_features(images, FeatureOptions().blocks(blocks));
  TensorMap named;
  for (size_t i = 0; i < blocks.size(); ++i) named[str("block_", blocks[i])] = grids[i];
  return named;
}

int classify(const InferArguments& a, Weights weights, const Config& config) {
  WF_CHECK(!a.guidance, "--guidance is for diffusion models, and ", config.model.name,
           " is a classifier");
  const auto device = build_device(config);
  const auto model = build_classifier(config, device);
  load_weights(*model, std::move(weights), a.weights, {a.allow_missing, false});
  model->eval();
  const auto x = take(a, read_safetensors(a.input), "x", "");
  if (x.dim() == 4) {
    warn_of_uncovered_pixels(a.input + ": images", x.size(2), x.size(3), patch_size(config));
  }
  const torch::InferenceMode inference;
  const auto images = x.to(device, torch::kFloat);
  if (!a.blocks.empty()) return finish(a, token_grids(*model, images, a.blocks));
  return finish(a, {{"logits", model->forward(images)}});
}

int denoise(const InferArguments& a, Weights weights, const Config& config) {
  WF_CHECK(a.blocks.empty(), "--blocks is for classifiers, and ", config.model.name,
           " is a diffusion model");
  const auto device = build_device(config);
  const auto model = build_dit_for(config, weights, device);
  load_weights(*model, std::move(weights), a.weights, {a.allow_missing, false});
  model->eval();
  const auto input = read_safetensors(a.input);
  const auto get = [&](const char* name) {
    return take(a, input, name, "; expected x (latents), t (steps) and y (labels)");
  };
  const auto labels = get("y");
  model->y_embedder->check(labels);  // here, since a GPU cannot say what is wrong with them
  const auto x = get("x").to(device, torch::kFloat), t = get("t").to(device), y = labels.to(device);
  const torch::InferenceMode inference;
  return finish(a, {{"out", a.guidance ? model->forward_guided(x, t, y, *a.guidance)
                                       : model->forward(x, t, y)}});
}

}  // namespace

int infer_tensors(const InferArguments& a) {
  auto weights = read_weights(a.weights, {a.ema, Checksums::while_loading});
  const auto config = infer_config(a, weights);
  const bool diffusion = model_kind(config.model.name) == ModelKind::diffusion;
  const bool named = config.origins.count("MODEL.NAME") > 0;
  WF_CHECK(diffusion || named || weights.tensors.count("final_layer.linear.weight") == 0, a.weights,
           ": weights of a diffusion model: name it with --model (known: ", join(dit_names(), ", "),
           ")");
  return diffusion ? denoise(a, std::move(weights), config)
                   : classify(a, std::move(weights), config);
}

}  // namespace wf
