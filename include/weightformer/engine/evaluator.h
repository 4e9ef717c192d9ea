#pragma once

#include "weightformer/data/loader.h"
#include "weightformer/models/model.h"

#include <c10/core/Device.h>

namespace wf {

struct Evaluation {
  double loss = 0;         ///< mean cross entropy over the pictures that could be read
  double acc1 = 0;         ///< top-1, percent of all pictures; unreadable ones count as wrong
  double acc5 = 0;         ///< top-5 likewise; with fewer than five classes, of all of them
  int64_t images = 0;      ///< all pictures, each counted once
  int64_t unreadable = 0;  ///< how many of them could not be decoded
  bool complete = true;    ///< false: cancelled half-way, the numbers mean nothing
};

struct EvaluateOptions {
  c10::Device device = c10::kCPU;
  bool amp = false;               ///< bfloat16 autocast, as in training
  bool (*cancelled)() = nullptr;  ///< asked between batches
};

/// One exact pass over `loader`, with the model in evaluation mode (it is put back afterwards).
Evaluation evaluate(Classifier& model, Loader& loader, const EvaluateOptions& options);

/// Images per second of the forward pass alone on one batch: `warmup` runs, then `timed` ones.
double throughput(Classifier& model, const at::Tensor& images, const EvaluateOptions& options,
                  int warmup = 50, int timed = 30);

}  // namespace wf
