#include "engine/diffusion/sampling.h"

#include "weightformer/core/check.h"

#include "core/counter_noise.h"
#include "engine/eval_mode.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

namespace wf {
namespace {

// Streams that keep the draws of a sample apart.
constexpr uint64_t kStart = 0x7374617274, kStep = 0x73746570, kLabel = 0x6c6162656c;

}  // namespace

int64_t random_label(uint64_t seed, int64_t index, int64_t classes) {
  return CounterRng{seed, kLabel, static_cast<uint64_t>(index)}.below(classes);
}

SampleGenerator::SampleGenerator(std::shared_ptr<DiTImpl> model, const SamplingOptions& options)
    : model_(std::move(model)),
      options_(options),
      solver_(make_solver(options.process, options.solver)),
      network_(std::make_unique<GraphedFunction>(
          [model = model_.get(), amp = options.amp](const GraphedFunction::Tensors& inputs) {
            const torch::InferenceMode inference;
            const MixedPrecision mixed(amp, inputs[0].device().type());
            const auto output = model->forward(inputs[0], inputs[1], inputs[2]);
            return GraphedFunction::Tensors{output.to(torch::kFloat)};
          })) {
  options_.guidance.noise_time = noise_time(options.process);
  options_.guidance.data_channels = model_->options.channels();
  options_.guidance.null_class = model_->null_class();
  WF_CHECK(
      options.guidance.scale == 1 || model_->options.label_drop() > 0,
      "guidance needs a model that was trained with the null class (DIFFUSION.LABEL_DROP above "
      "0): sample with a scale of 1");
}

at::Tensor SampleGenerator::draw(const std::vector<int64_t>& indices,
                                 const std::vector<int64_t>& labels,
                                 const std::function<void(int64_t, int64_t)>& on_step) const {
  const auto count = static_cast<int64_t>(indices.size());
  const int64_t size = options_.batch_size, batches = (count + size - 1) / size;
  std::vector<at::Tensor> parts;
  for (int64_t b = 0; b < batches; ++b) {
    const int64_t first = b * size, real = std::min(size, count - first);
    std::vector<int64_t> which(indices.begin() + first, indices.begin() + first + real);
    std::vector<int64_t> of(labels.begin() + first, labels.begin() + first + real);
    if (options_.fixed_batch) {
      which.resize(size, which.back());
      of.resize(size, of.back());
    }
    const auto report = [&](int64_t done) {
      if (on_step) on_step(b * options_.solver.steps + done, batches * options_.solver.steps);
    };
    parts.push_back(draw_batch(which, of, report).narrow(0, 0, real).cpu());
  }
  if (parts.empty()) {
    return torch::empty({0, model_->options.channels(), options_.height, options_.width});
  }
  return torch::cat(parts);
}

at::Tensor SampleGenerator::draw_batch(const std::vector<int64_t>& indices,
                                       const std::vector<int64_t>& labels,
                                       const std::function<void(int64_t)>& on_step) const {
  const torch::InferenceMode inference;
  const EvalMode mode(*model_);
  const std::vector<int64_t> sizes{model_->options.channels(), options_.height, options_.width};
  const auto noise = [&](const std::function<CounterRng(uint64_t)>& key) {
    std::vector<CounterRng> keys;
    for (const auto index : indices) keys.push_back(key(static_cast<uint64_t>(index)));
    return counter_normal(keys, sizes, options_.device);
  };
  const auto denoise = [&](const at::Tensor& x, const at::Tensor& t, const at::Tensor& y) {
    return (*network_)({x, t.to(options_.device, /*non_blocking=*/true), y})[0];
  };
  const auto seed = options_.seed;
  const auto step_noise = [&](int64_t step) {
    return noise([&](uint64_t index) {
      return CounterRng{seed, kStep, index, static_cast<uint64_t>(step)};
    });
  };
  const auto start = noise([&](uint64_t index) { return CounterRng{seed, kStart, index}; });
  return solver_->sample(guided(denoise, options_.guidance), start,
                         torch::tensor(labels, torch::kLong).to(options_.device), step_noise,
                         on_step);
}

at::Tensor to_bytes(const at::Tensor& samples) {
  return (samples * 127.5 + 128).clamp(0, 255).to(torch::kByte);
}

}  // namespace wf
