#pragma once

#include "weightformer/data/loader.h"
#include "weightformer/models/model.h"

#include <c10/core/Device.h>

#include <functional>
#include <optional>
#include <vector>

namespace wf {

struct Evaluation {
  double loss = 0;          ///< mean cross entropy over the pictures that could be read
  double acc1 = 0;          ///< top-1, percent of all pictures; unreadable ones count as wrong
  double acc5 = 0;          ///< top-5 likewise; with fewer than five classes, of all of them
  int64_t images = 0;       ///< all pictures, each counted once
  int64_t unreadable = 0;   ///< how many of them could not be decoded
  bool complete = true;     ///< false: cancelled half-way, the numbers mean nothing
  double real_acc1 = 0;     ///< top-1 by EvaluateOptions::real_labels, percent of real_images
  int64_t real_images = 0;  ///< pictures that have such a label; 0: none was asked for
  at::Tensor confusion;     ///< [classes, classes] int64, true class by predicted; if asked for
};

struct EvaluateOptions {
  c10::Device device = c10::kCPU;
  std::optional<at::ScalarType> amp;  ///< dtype of autocast, as in training
  bool (*cancelled)() = nullptr;      ///< asked between batches
  bool confusion = false;
  /// Adds up a tensor over the processes that each evaluate a part of the pictures, in place; the
  /// numbers then are of all pictures. Without it this process evaluates alone.
  std::function<void(at::Tensor&)> sum;
  /// For each picture of the dataset all classes that are right; those with none do not count.
  const std::vector<std::vector<int64_t>>* real_labels = nullptr;
};

/// One exact pass over `loader`, with the model in evaluation mode (it is put back afterwards).
Evaluation evaluate(Classifier& model, Loader& loader, const EvaluateOptions& options);

}  // namespace wf
