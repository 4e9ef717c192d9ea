#include "engine/batch_size.h"

#include "weightformer/core/check.h"
#include "weightformer/nn/mixed_precision.h"
#include "weightformer/nn/short_weights.h"

#include "core/peak_memory.h"
#include "engine/build.h"
#include "engine/tasks.h"
#include "runtime/available_memory.h"
#include "runtime/log.h"

#include <ATen/Context.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <torch/types.h>

#include <algorithm>
#include <vector>

namespace wf {
namespace {

constexpr double kMiB = 1 << 20;
// The rest is for what is not a tensor, for validation and for other programs.
constexpr double kUsable = 0.8;
constexpr int64_t kLoaderBatches = 6;  // that a loader holds at most: prefetched ones, two in use

std::vector<int64_t> divisors(int64_t number) {
  std::vector<int64_t> out;
  for (int64_t i = 1; i <= number; ++i) {
    if (number % i == 0) out.push_back(i);
  }
  return out;
}

// Copies of `sample`, a batch of one.
Batch copies(const Batch& sample, int64_t count) {
  Batch out;
  std::vector<int64_t> repeats(static_cast<size_t>(sample.inputs.dim()), 1);
  repeats[0] = count;
  out.inputs = sample.inputs.repeat(repeats);
  out.labels = sample.labels.repeat({count});
  out.indices.assign(static_cast<size_t>(count), sample.indices[0]);
  return out;
}

// The first sample that can be read.
Batch one_sample(const Loader& loader) {
  constexpr int64_t kTries = 100;
  Batch sample;
  for (int64_t i = 0; i < std::min(kTries, loader.reader().size()); ++i) {
    sample = loader.read({i});
    if (sample.labels[0].item<int64_t>() >= 0) break;
  }
  WF_CHECK(sample.inputs.defined(), "--batch-size auto: there are no training samples");
  return sample;
}

// Training steps on a model of their own. The default generator is left unchanged, so that the run
// draws the weights that it would draw without them.
class Trial {
 public:
  explicit Trial(const Run& run)
      : run_(run),
        default_(at::globalContext().defaultGenerator(c10::kCPU)),
        default_state_(default_.get_state()),
        before_(free_memory()),
        generator_(at::globalContext().defaultGenerator(run.device).clone()) {
    const TaskRequest request{run.env, run.device, run.ranks.get()};
    const auto held = memory_use(run.device, [&] {
      setup_ = tasks().at(run.config.model.type).build(run.config, request);
      state_ = build_train_state(run.config, *setup_.task, setup_.train->batches(), run.env.world);
      sample_ = one_sample(*setup_.train);
      state_.model->set_generator(generator_);
      state_.model->train();
      step(1);  // now gradients and the state of the optimizer exist
      state_.optimizer->step(0);
    });
    held_ = static_cast<double>(held.kept);
  }
  ~Trial() {
    default_.set_state(default_state_);
    if (run_.device.is_cuda()) c10::getDeviceAllocator(run_.device.type())->emptyCache();
  }
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  /// Bytes that may be used.
  double limit() const { return kUsable * before_; }

  /// Bytes of a training with micro-batches of `batch` samples.
  double need(int64_t batch) {
    const auto use = memory_use(run_.device, [&] { step(batch); });
    const auto loaded = run_.device.is_cpu() ? kLoaderBatches * batch * sample_.inputs.nbytes() : 0;
    return held_ + static_cast<double>(use.peak) + static_cast<double>(loaded);
  }

 private:
  double free_memory() const {
    if (run_.device.is_cpu()) return available_memory() / run_.env.local_world;
    auto* allocator = c10::getDeviceAllocator(run_.device.type());
    return static_cast<double>(allocator->getMemoryInfo(run_.device.index()).first);
  }

  void step(int64_t batch) {
    const StepRng rng(static_cast<uint64_t>(run_.config.seed), 0, generator_);
    at::Tensor loss;
    {
      const MixedPrecision mixed(build_amp(run_.config), run_.device.type());
      const ShortWeights::Scope weights(&short_weights_);
      loss = setup_.task->loss(copies(sample_, batch), rng);
    }
    loss.backward();
  }

  const Run& run_;
  at::Generator default_;
  at::Tensor default_state_;
  double before_;
  at::Generator generator_;
  TaskSetup setup_;
  TrainState state_;
  ShortWeights short_weights_;
  Batch sample_;
  double held_ = 0;
};

// The least of the ranks' values.
int64_t least(int64_t value, Distributed& ranks) {
  auto all = torch::zeros({ranks.world()}, torch::kLong);
  all[ranks.rank()] = value;
  if (ranks.simulated()) return value;
  ranks.sum(all);
  return all.min().item<int64_t>();
}

}  // namespace

int64_t largest_fitting(int64_t total, double limit, const std::function<double(int64_t)>& need) {
  constexpr int64_t kFarthest = 8;  // times the last measurement: how far is extrapolated
  const double one = need(1);
  if (one > limit || total == 1) return one <= limit;
  int64_t measured = 2, ceiling = total + 1;
  double bytes = need(measured), slope = std::max(0.0, bytes - one);
  int64_t batch = bytes <= limit && total % measured == 0 ? measured : 1;
  while (true) {
    const auto expected = [&](int64_t size) {
      return bytes + slope * static_cast<double>(size - measured);
    };
    if (ceiling > total && expected(total) <= limit / 2) return total;
    int64_t next = 0;
    for (const auto size : divisors(total)) {
      const bool near = next == 0 || size <= kFarthest * measured;
      if (size > batch && size < ceiling && near && expected(size) <= limit) next = size;
    }
    if (next == 0) return batch;
    const double now = need(next);
    if (now > limit) {
      ceiling = next;
      continue;
    }
    slope = std::max(0.0, now - bytes) / static_cast<double>(next - measured);
    batch = measured = next;
    bytes = now;
  }
}

BatchParts fitting_batch(const Run& run) {
  const auto& config = run.config;
  const int64_t total = config.data.batch_size * config.train.accumulation_steps;
  int64_t own = 0;
  double limit = 0, one = 0;
  {
    Trial trial(run);
    limit = trial.limit();
    own = largest_fitting(total, limit, [&](int64_t size) {
      const double bytes = trial.need(size);
      if (size == 1) one = bytes;
      return bytes;
    });
  }
  const auto batch = least(own, *run.ranks);
  WF_CHECK(batch > 0, "--batch-size auto: a training step of one sample takes ",
           fmt::format("{:.0f} MiB, and {:.0f} MiB are free for it", one / kMiB, limit / kMiB),
           "; use --use-checkpoint, a smaller DATA.IMG_SIZE or a smaller model");
  log::info(
      "--batch-size auto: micro-batches of {}, {} of them in a step of {} samples per process; "
      "{:.0f} "
      "MiB are free for training",
      batch, total / batch, total, limit / kMiB);
  return {batch, total / batch};
}

}  // namespace wf
