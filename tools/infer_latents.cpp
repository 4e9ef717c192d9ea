#include "weightformer/core/check.h"
#include "weightformer/models/dit.h"
#include "weightformer/serialization/weights.h"

#include "config/load.h"
#include "engine/build.h"
#include "infer.h"

#include <torch/torch.h>

#include <iostream>

namespace wf {

int infer_latents(const InferArguments& a) {
  auto weights = read_weights(a.weights, {a.ema, Checksums::while_loading});
  Config config;
  set_key(config, "DEVICE", a.device, "--device");
  const auto device = build_device(config);
  const auto model = create_dit(a.model, dit_overrides(weights.tensors));
  load_weights(*model, std::move(weights), a.weights, {a.allow_missing, false});
  model->to(device);
  model->eval();
  const auto input = read_safetensors(a.input);
  const auto take = [&](const char* name) {
    const auto found = input.tensors.find(name);
    WF_CHECK(found != input.tensors.end(), a.input, ": no tensor '", name,
             "' in it; expected x (latents), t (steps) and y (labels)");
    return found->second;
  };
  const auto labels = take("y");
  model->y_embedder->check(labels);  // here, since a GPU cannot say what is wrong with them
  const auto x = take("x").to(device, torch::kFloat), t = take("t").to(device),
             y = labels.to(device);
  const torch::InferenceMode inference;
  const auto out =
      a.guidance ? model->forward_guided(x, t, y, *a.guidance) : model->forward(x, t, y);
  write_safetensors(a.output, {{{"out", out}}, {}});
  std::cout << a.output << ": out " << out.sizes() << "\n";
  return 0;
}

}  // namespace wf
