#pragma once

#include <ATen/core/Generator.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/pimpl.h>

namespace wf {

struct LabelEmbedderOptions {
  LabelEmbedderOptions(int64_t classes, int64_t dim) : classes_(classes), dim_(dim) {}
  TORCH_ARG(int64_t, classes);
  TORCH_ARG(int64_t, dim);      ///< C
  TORCH_ARG(double, drop) = 0;  ///< label-dropout probability in training, in [0, 1]
  /// false: the caller drops labels, by passing the null class; `drop` > 0 then only adds its row.
  TORCH_ARG(bool, drops_itself) = true;
};

/// A table with one vector per class and, if labels are dropped, one for the null class (label
/// `classes`), which classifier-free guidance needs (Ho and Salimans 2022). Parameters:
/// embedding_table (Embedding), initialized with normal(0.02).
class LabelEmbedderImpl : public torch::nn::Cloneable<LabelEmbedderImpl> {
 public:
  explicit LabelEmbedderImpl(LabelEmbedderOptions options);
  void reset() override;

  /// Number of labels, including the null class.
  int64_t rows() const { return options.classes() + (options.drop() > 0 ? 1 : 0); }

  /// labels: [B], int64 → [B, C]. In training each becomes the null class with probability `drop`.
  /// Throws wf::Error for a label out of range if they are on the CPU, where the check needs no
  /// synchronization.
  at::Tensor forward(const at::Tensor& labels);

  /// Throws wf::Error unless labels is int64 [B] of values in 0 … rows()-1. Synchronizes with the
  /// device.
  void check(const at::Tensor& labels) const;

  /// Sets the generator of random draws; undefined (the default) means the device's default
  /// generator.
  at::Generator generator;
  LabelEmbedderOptions options;
  torch::nn::Embedding embedding_table{nullptr};
};
TORCH_MODULE(LabelEmbedder);

}  // namespace wf
