#include "bench_subject.h"

#include "weightformer/models/dit.h"
#include "weightformer/models/model.h"
#include "weightformer/serialization/weights.h"

#include <torch/types.h>

namespace wf {
namespace {

// make(state dict, empty without --weights) → a model, with those weights in it.
template <typename Make>
auto make_model(const BenchOptions& o, Make make) {
#ifdef WF_BENCH_WEIGHTS
  if (!o.weights.empty()) {
    auto weights = read_weights(o.weights, {false, Checksums::while_loading});
    auto model = make(weights.tensors);
    load_weights(*model, std::move(weights), o.weights);
    return model;
  }
#else
  if (!o.weights.empty()) throw Error(kNoFiles);
#endif
  return make(TensorMap());
}

at::Tensor random_labels(const BenchOptions& o, int64_t count) {
  return torch::randint(0, count, {o.batch}, torch::dtype(torch::kLong).device(o.torch_device()));
}

Subject classifier(const BenchOptions& o) {
  const auto model = make_model(o, [&](const TensorMap& weights) {
    auto options = classifier_options(o.model);
    options.dynamic_linear(o.dynamic_linear);
    if (o.depth > 0) options.depth(o.depth);
    const auto head = weights.find("head.weight");
    if (head != weights.end()) options.num_classes(head->second.size(0));
    return make_classifier(options);
  });
  Subject subject;
  subject.module = model;
  subject.size = model->image_size();
  subject.work = [o, model](int64_t size) {
    const auto x = torch::randn({o.batch, 3, size, size}, o.torch_device());
    const auto y = random_labels(o, model->num_classes());
    return BatchWork{[model, x] { return model->forward(x); },
                     [y](const at::Tensor& logits) { return at::cross_entropy_loss(logits, y); }};
  };
  return subject;
}

Subject denoiser(const BenchOptions& o) {
  const auto model = make_model(o, [&](const TensorMap& weights) {
    auto options = dit_options(o.model, weights);
    if (o.depth > 0) options.depth(o.depth);
    if (o.torch_device().is_meta()) options.drops_labels(false);  // nothing can be drawn there
    return std::make_shared<DiTImpl>(options.dynamic_linear(o.dynamic_linear));
  });
  Subject subject;
  subject.module = model;
  subject.size = subject.sweep = model->options.latent_size();
  subject.patch = model->options.patch_size();
  subject.work = [o, model](int64_t size) {
    const auto random = [&](int64_t channels) {
      return torch::randn({o.batch, channels, size, size}, o.torch_device());
    };
    const auto x = random(model->options.channels()), noise = random(model->out_channels());
    const auto t = random_labels(o, 1000), y = random_labels(o, model->options.num_classes());
    return BatchWork{[model, x, t, y] { return model->forward(x, t, y); },
                     [noise](const at::Tensor& out) { return at::mse_loss(out, noise); }};
  };
  return subject;
}

}  // namespace

Subject make_subject(const BenchOptions& options) {
  return model_kind(options.model) == ModelKind::diffusion ? denoiser(options)
                                                           : classifier(options);
}

}  // namespace wf
