#include "weightformer/core/check.h"
#include "weightformer/models/dit.h"
#include "weightformer/serialization/weights.h"

#include "config/load.h"
#include "engine/build.h"
#include "engine/classification/build.h"
#include "infer.h"

#include <torch/torch.h>

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

int finish(const InferArguments& a, const char* name, const at::Tensor& result) {
  write_safetensors(a.output, {{{name, result}}, {}});
  std::cout << a.output << ": " << name << " " << result.sizes() << "\n";
  return 0;
}

int classify(const InferArguments& a, const Config& config, c10::Device device) {
  WF_CHECK(!a.guidance, "--guidance is for diffusion models, and ", a.model, " is a classifier");
  auto weights = read_weights(a.weights, {a.ema, Checksums::while_loading});
  auto settings = config;
  settings.model.name = a.model;
  // The weights know how many classes there are; a name does not.
  const auto head = weights.tensors.find("head.weight");
  settings.model.num_classes =
      head != weights.tensors.end() && head->second.dim() == 2 ? head->second.size(0) : 1000;
  const auto model = build_classifier(settings, device);
  load_weights(*model, std::move(weights), a.weights, {a.allow_missing, false});
  model->eval();
  const auto x = take(a, read_safetensors(a.input), "x", "");
  if (x.dim() == 4) {
    warn_of_uncovered_pixels(a.input + ": images", x.size(2), x.size(3), patch_size(settings));
  }
  const torch::InferenceMode inference;
  return finish(a, "logits", model->forward(x.to(device, torch::kFloat)));
}

int denoise(const InferArguments& a, c10::Device device) {
  auto weights = read_weights(a.weights, {a.ema, Checksums::while_loading});
  const auto model = std::make_shared<DiTImpl>(dit_options(a.model, weights.tensors));
  load_weights(*model, std::move(weights), a.weights, {a.allow_missing, false});
  model->to(device);
  model->eval();
  const auto input = read_safetensors(a.input);
  const auto get = [&](const char* name) {
    return take(a, input, name, "; expected x (latents), t (steps) and y (labels)");
  };
  const auto labels = get("y");
  model->y_embedder->check(labels);  // here, since a GPU cannot say what is wrong with them
  const auto x = get("x").to(device, torch::kFloat), t = get("t").to(device), y = labels.to(device);
  const torch::InferenceMode inference;
  return finish(a, "out",
                a.guidance ? model->forward_guided(x, t, y, *a.guidance) : model->forward(x, t, y));
}

}  // namespace

int infer_tensors(const InferArguments& a) {
  const auto kind = model_kind(a.model);
  Config config;
  set_key(config, "DEVICE", a.device, "--device");
  const auto device = build_device(config);
  return kind == ModelKind::diffusion ? denoise(a, device) : classify(a, config, device);
}

}  // namespace wf
