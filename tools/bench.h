// Shared by the benchmarks: the command line and the timing of a step.
#pragma once

#include "weightformer/core/check.h"
#include "weightformer/nn/mixed_precision.h"

#include "core/stopwatch.h"

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace wf {

struct BenchOptions {
  std::string model = "wfm_tiny", mode = "infer", dtype = "float32", device = "cpu";
  std::string dynamic_linear = "auto", residual = "float32", sweep, weights, trace;
  int64_t batch = 8, size = 0, depth = 0, steps = 5, warmup = 2, threads = 2;
  bool ops = false, load = false, unverified = false, phases = false, floor = false,
       traffic = false;
  bool model_given = false;

  std::string data;           ///< a directory of images
  std::string save, compare;  ///< files; see bench_rounds.h
  int64_t rounds = 9;

  int64_t workers = 1, images = 512, passes = 3, data_batch = 64;

  c10::Device torch_device() const { return c10::Device(device); }
  c10::ScalarType type() const;
  TokenType token_type() const;
};

struct Timing {
  double best = 0, median = 0;  ///< seconds
};

void synchronize(c10::Device device);

/// Runs `step` a few times uncounted, then `steps` times.
template <typename Step>
Timing time_steps(const BenchOptions& options, Step step) {
  std::vector<double> seconds;
  for (int64_t i = 0; i < options.warmup + options.steps; ++i) {
    const Stopwatch begin;
    step();
    synchronize(options.torch_device());
    if (i >= options.warmup) seconds.push_back(begin.seconds());
  }
  std::sort(seconds.begin(), seconds.end());
  return {seconds.front(), seconds[seconds.size() / 2]};
}

/// Parses the command line `words`. Throws wf::Error in one line.
BenchOptions parse_bench_flags(const std::vector<std::string>& words);

/// What --help prints: the flags, and the names that --model takes.
std::string bench_help();

/// The message for --weights in a build without nlohmann-json.
inline constexpr const char* kNoFiles =
    "this build reads no files (no nlohmann/json.hpp was found)";

/// A line for the model, or one per side with --sweep.
void bench_model(const BenchOptions& options);

/// Seconds and memory of reading `weights` into a module of the same names.
void bench_load(const BenchOptions& options);

/// A line for every operator: gigabytes per second, and the ratio to its ATen reference.
void bench_ops(const BenchOptions& options);

/// What the kernels of a step would move and compute on a GPU, by the calls on tensors without
/// data.
void bench_traffic(const BenchOptions& options);

/// A line for the loader: images per second of CPU time.
void bench_data(const BenchOptions& options);

}  // namespace wf
