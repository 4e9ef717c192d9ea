// The subject of wf_bench: a model and its work on one batch of random numbers.
#pragma once

#include "bench.h"
#include "bench_inspect.h"

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <functional>
#include <memory>

namespace wf {

/// The forward pass on one batch, and the loss of its output.
struct BatchWork {
  std::function<at::Tensor()> forward;
  std::function<at::Tensor(const at::Tensor&)> loss;
};

struct Subject {
  std::shared_ptr<torch::nn::Module> module;
  std::function<BatchWork(int64_t size)> work;  ///< on a batch of images of that side
  int64_t size = 0;                             ///< side of its images
  int64_t patch = 16;                           ///< side of a patch
  int64_t sweep = 224;                          ///< --sweep takes multiples of this side
};

/// The phases of a training step, in seconds.
struct Phases {
  double forward = 0, backward = 0;
  double rest = 0;  ///< clipping and optimizer
};

/// What --phases, --floor and --traffic ask for.
struct StepDetails {
  Phases phases;
  Floor floor;
  std::map<std::string, OpTraffic> traffic;
};

/// Times steps of --mode on `work`, which runs `module`, and what else `options` ask for: the parts
/// of a step, the time of its GEMMs, a trace.
Timing time_model(const BenchOptions& options, const BatchWork& work, torch::nn::Module& module,
                  StepDetails& details);

/// The model that `options` select, with the weights of --weights. Throws wf::Error in one line.
Subject make_subject(const BenchOptions& options);

}  // namespace wf
