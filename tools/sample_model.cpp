#include "sample_model.h"

#include "weightformer/core/check.h"
#include "weightformer/serialization/weights.h"

#include "checkpoint/saved_config.h"
#include "config/load.h"
#include "core/registry.h"
#include "engine/diffusion/build.h"

namespace wf {
namespace {

constexpr const char* kType = "wfm_dit";

// The settings of the published DiT.
Config published(const std::string& name) {
  Config config;
  config.model.type = kType;
  config.model.name = name;
  config.data.dataset = DatasetKind::latents;
  config.data.img_size = dit_options(name).latent_size();
  return config;
}

Config base_config(const SampleModelRequest& request) {
  if (!request.cfg.empty()) return load_config(request.cfg);
  if (!request.name.empty()) return published(request.name);
  const auto saved = read_weights(request.file, {/*ema=*/false, Checksums::never}).settings;
  WF_CHECK(!saved.empty(), request.file,
           ": has no configuration with it: give --cfg FILE, or --model NAME for weights of DiT's "
           "published settings (known: ",
           join(dit_names(), ", "), ")");
  return config_in(saved, Config());
}

}  // namespace

Config sample_config(const SampleModelRequest& request) {
  auto config = base_config(request);
  for (size_t i = 0; i + 1 < request.settings.size(); i += 2) {
    set_key(config, request.settings[i], request.settings[i + 1], "--opts");
  }
  WF_CHECK(config.model.type == kType, request.file, ": MODEL.TYPE is ", config.model.type,
           ", and only a ", kType, " can be sampled; wf_infer classifies");
  return config;
}

SampleModel load_sample_model(const SampleModelRequest& request, const Config& config,
                              c10::Device device) {
  SampleModel out;
  out.config = config;
  WeightsOptions wanted{/*ema=*/false, Checksums::while_loading};
  auto weights = read_weights(request.file, wanted);
  if (request.ema && weights.has_ema) {
    wanted.ema = true;
    weights = read_weights(request.file, wanted);
  }
  out.classes = weights.classes;
  out.weights = weights.source_key;
  if (request.name.empty()) {
    out.model = build_dit(config, device);
  } else {
    out.model = std::make_shared<DiTImpl>(dit_options(request.name, weights.tensors));
    out.config.diffusion.learn_sigma = out.model->options.learn_sigma();
    out.config.data.img_size = out.model->options.latent_size();
    out.config.model.num_classes = out.model->options.num_classes();
    out.config.diffusion.channels = out.model->options.channels();
  }
  load_weights(*out.model, std::move(weights), request.file);
  out.model->to(device);
  out.model->eval();
  return out;
}

}  // namespace wf
