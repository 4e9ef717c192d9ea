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
  TORCH_ARG(double, drop) = 0;  ///< probability of forgetting a label in training, in [0, 1]
  /// false: the caller drops labels, by giving the null class; `drop` only says that there is one.
  TORCH_ARG(bool, drops_itself) = true;
};

/// A table of one vector a class, and, when labels are dropped, one more that means "no class"
/// (label `classes`), which classifier-free guidance needs (Ho and Salimans 2022).
/// Parameters: embedding_table (Embedding), fresh ones normal(0.02).
class LabelEmbedderImpl : public torch::nn::Cloneable<LabelEmbedderImpl> {
 public:
  explicit LabelEmbedderImpl(LabelEmbedderOptions options);
  void reset() override;

  /// How many labels there are, "no class" among them.
  int64_t rows() const { return options.classes() + (options.drop() > 0 ? 1 : 0); }

  /// labels: [B], int64 → [B, C]. In training each becomes "no class" with probability `drop`.
  /// Throws wf::Error for a label out of range when they are on the CPU, where looking is free.
  at::Tensor forward(const at::Tensor& labels);

  /// Throws wf::Error unless labels is int64 [B] of values in 0 … rows()-1. Waits for the device.
  void check(const at::Tensor& labels) const;

  /// Draws come from here; undefined (the default) means the device's default generator.
  at::Generator generator;
  LabelEmbedderOptions options;
  torch::nn::Embedding embedding_table{nullptr};
};
TORCH_MODULE(LabelEmbedder);

}  // namespace wf
