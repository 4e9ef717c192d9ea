// wf_bench without --ops, --load or --data: steps of a whole model on random numbers.

#include "weightformer/models/dit.h"
#include "weightformer/models/model.h"
#include "weightformer/optim/optimizer.h"
#include "weightformer/serialization/weights.h"

#include "bench.h"
#include "nn/autocast.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>

namespace wf {
namespace {

// What runs on a batch, and what says how wrong the answer is.
struct Task {
  std::function<at::Tensor()> forward;
  std::function<at::Tensor(const at::Tensor&)> loss;
};

struct Subject {
  std::shared_ptr<torch::nn::Module> module;
  std::function<Task(int64_t size)> task;  // on one batch of pictures of that side
  int64_t size = 0;                        // side of its pictures
  int64_t patch = 16;                      // side of what a token sees
  int64_t sweep = 224;                     // --sweep takes multiples of this side
};

// The most memory that this process has had, or has now, in MiB.
double peak_mib(c10::Device device) {
  if (device.is_cuda()) {
    const auto stats = c10::getDeviceAllocator(device.type())->getDeviceStats(0);
    return static_cast<double>(stats.allocated_bytes[0].peak) / (1 << 20);
  }
  return peak_resident_mib();
}

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
    ClassifierOverrides overrides;
    overrides.dynamic_linear = o.dynamic_linear;
    const auto head = weights.find("head.weight");
    if (head != weights.end()) overrides.num_classes = head->second.size(0);
    return create_classifier(o.model, overrides);
  });
  Subject subject;
  subject.module = model;
  subject.size = model->image_size();
  subject.task = [o, model](int64_t size) {
    const auto x = torch::randn({o.batch, 3, size, size}, o.torch_device());
    const auto y = random_labels(o, model->num_classes());
    return Task{[model, x] { return model->forward(x); },
                [y](const at::Tensor& logits) { return at::cross_entropy_loss(logits, y); }};
  };
  return subject;
}

Subject denoiser(const BenchOptions& o) {
  const auto model = make_model(o, [&](const TensorMap& weights) {
    auto overrides = dit_overrides(weights);
    overrides.dynamic_linear = o.dynamic_linear;
    return create_dit(o.model, overrides);
  });
  Subject subject;
  subject.module = model;
  subject.size = subject.sweep = model->options.latent_size();
  subject.patch = model->options.patch_size();
  subject.task = [o, model](int64_t size) {
    const auto random = [&](int64_t channels) {
      return torch::randn({o.batch, channels, size, size}, o.torch_device());
    };
    const auto x = random(model->options.channels()), noise = random(model->out_channels());
    const auto t = random_labels(o, 1000), y = random_labels(o, model->options.num_classes());
    return Task{[model, x, t, y] { return model->forward(x, t, y); },
                [noise](const at::Tensor& out) { return at::mse_loss(out, noise); }};
  };
  return subject;
}

// Of a training step, seconds; rest: clipping and optimizer.
struct Phases {
  double forward = 0, backward = 0, rest = 0;
};

Timing time_model(const BenchOptions& o, const Task& task, torch::nn::Module& module,
                  Phases* phases) {
  const auto device = o.torch_device();
  std::optional<at::ScalarType> amp;
  if (o.type() != at::kFloat) amp = o.type();
  const auto forward = [&] {
    const Autocast autocast(amp, device.type());
    return task.forward();
  };
  if (o.mode == "infer") {
    module.eval();
    const torch::InferenceMode inference;
    return time_steps(o, forward);
  }
  module.train();
  const auto optimizer = make_optimizer({}, param_groups(module, 0.01));
  const auto phase = [&](double* seconds, const auto& work) {
    const auto begin = std::chrono::steady_clock::now();
    auto result = work();
    if (seconds) {
      synchronize(device);
      *seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    }
    return result;
  };
  const auto step = [&](Phases* at) {
    optimizer->zero_grad();
    const auto loss =
        phase(at ? &at->forward : nullptr, [&] { return task.loss(forward().to(torch::kFloat)); });
    phase(at ? &at->backward : nullptr, [&] { return loss.backward(), 0; });
    phase(at ? &at->rest : nullptr, [&] {
      clip_gradients(optimizer->groups(), grad_norm(optimizer->groups()), 5);
      return optimizer->step(1e-4), 0;
    });
  };
  const auto timing = time_steps(o, [&] { step(nullptr); });
  if (phases) {  // in steps of their own: waiting for a GPU in between costs
    std::vector<Phases> all(static_cast<size_t>(o.steps));
    for (auto& one : all) step(&one);
    for (const auto part : {&Phases::forward, &Phases::backward, &Phases::rest}) {
      std::nth_element(all.begin(), all.begin() + all.size() / 2, all.end(),
                       [&](const Phases& a, const Phases& b) { return a.*part < b.*part; });
      phases->*part = all[all.size() / 2].*part;
    }
  }
  return timing;
}

std::string shown(const Phases& phases) {
  return fmt::format(R"(, "forward_ms": {:.3f}, "backward_ms": {:.3f}, "rest_ms": {:.3f})",
                     1e3 * phases.forward, 1e3 * phases.backward, 1e3 * phases.rest);
}

}  // namespace

void bench_model(const BenchOptions& o) {
  const double idle = peak_mib(o.torch_device());
  const auto subject = is_dit(o.model) ? denoiser(o) : classifier(o);
  subject.module->to(o.torch_device());
  std::vector<int64_t> sizes{o.size ? o.size : subject.size};
  if (!o.sweep.empty()) {
    sizes.clear();
    for (int64_t i = 1; i <= 6; ++i) sizes.push_back(i * subject.sweep);
  }
  for (const int64_t size : sizes) {
    Phases phases;
    const auto timing =
        time_model(o, subject.task(size), *subject.module, o.phases ? &phases : nullptr);
    const int64_t side = size / subject.patch;
    const double tokens = static_cast<double>(o.batch * side * side);
    std::cout
        << fmt::format(
               R"({{"who": "weightformer", "model": "{}", "mode": "{}", "batch": {}, "size": {}, )"
               R"("dtype": "{}", "images_per_s_best": {:.3f}, "images_per_s_median": {:.3f}, )"
               R"("peak_mib": {:.1f}, "idle_mib": {:.1f}, "us_per_token": {:.4f}{}}})",
               o.model, o.mode, o.batch, size, o.dtype, o.batch / timing.best,
               o.batch / timing.median, peak_mib(o.torch_device()), idle,
               1e6 * timing.best / tokens, o.phases ? shown(phases) : "")
        << std::endl;
  }
}

}  // namespace wf
