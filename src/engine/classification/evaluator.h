#pragma once

#include "weightformer/data/loader.h"
#include "weightformer/models/model.h"
#include "weightformer/nn/mixed_precision.h"

#include <c10/core/Device.h>

#include <functional>
#include <optional>
#include <vector>

namespace wf {

/// An image that the model gets wrong, or right with a small probability.
struct HardImage {
  double loss = 0;
  int64_t index = 0;  ///< in the dataset
  int64_t truth = 0, predicted = 0;
  double probability = 0;  ///< of the predicted class, 0…1
};

struct Evaluation {
  double loss = 0;          ///< mean cross-entropy over the readable images
  double acc1 = 0;          ///< top-1, percent of all images; unreadable ones count as wrong
  double acc5 = 0;          ///< top-5, the same; with fewer than five classes, of all of them
  int64_t images = 0;       ///< number of images, each counted once
  int64_t unreadable = 0;   ///< images that could not be decoded
  bool complete = true;     ///< false: cancelled, the numbers are meaningless
  double real_acc1 = 0;     ///< top-1 by EvaluateOptions::real_labels, percent of real_images
  int64_t real_images = 0;  ///< images with such a label; 0: not requested
  /// Those of the largest losses, the largest first, as many as requested.
  std::vector<HardImage> hardest;
  at::Tensor confusion;  ///< [classes, classes] int64, true class by predicted; if requested
};

struct EvaluateOptions {
  c10::Device device = c10::kCPU;
  std::optional<Precision> amp;   ///< mixed precision, as in training
  bool (*cancelled)() = nullptr;  ///< called between batches
  bool confusion = false;
  int64_t hardest = 0;      ///< images whose loss is the largest
  int rank = 0, world = 1;  ///< of this process among those that `sum` adds up
  /// Sums a tensor in place over the processes that each evaluate a part of the images. Null for a
  /// single process.
  std::function<void(at::Tensor&)> sum;
  /// For each image of the dataset all correct classes; images without any are not counted.
  const std::vector<std::vector<int64_t>>* real_labels = nullptr;
};

/// One exact pass over `loader`, with the model in evaluation mode, which is restored afterwards.
Evaluation evaluate(Classifier& model, Loader& loader, const EvaluateOptions& options);

}  // namespace wf
