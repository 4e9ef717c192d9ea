#include "weightformer/nn/label_embedder.h"

#include "weightformer/core/check.h"

#include "nn/generator.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>

namespace wf {

LabelEmbedderImpl::LabelEmbedderImpl(LabelEmbedderOptions options) : options(options) { reset(); }

void LabelEmbedderImpl::reset() {
  WF_CHECK(options.classes() > 0 && options.drop() >= 0 && options.drop() <= 1,
           "LabelEmbedder: expected at least one class and drop in [0, 1], got ", options.classes(),
           " and ", options.drop());
  embedding_table = register_module("embedding_table", torch::nn::Embedding(rows(), options.dim()));
  const at::NoGradGuard no_grad;
  embedding_table->weight.normal_(0, 0.02);
}

void LabelEmbedderImpl::check(const at::Tensor& labels) const {
  WF_CHECK(labels.dim() == 1 && labels.scalar_type() == at::kLong,
           "labels: expected int64 of one dimension, got ", labels.scalar_type(), " ",
           labels.sizes());
  if (labels.numel() == 0) return;
  const auto least = labels.min().item<int64_t>(), most = labels.max().item<int64_t>();
  const bool in_range = least >= 0 && most<rows(), has_null_class = options.drop()> 0;
  WF_CHECK(in_range, "labels: expected 0 … ", rows() - 1,
           has_null_class ? str(" (", rows() - 1, " is the null class)") : "", ", got ",
           least < 0 ? least : most);
}

at::Tensor LabelEmbedderImpl::forward(const at::Tensor& labels) {
  if (labels.is_cpu()) check(labels);
  if (!is_training() || options.drop() == 0 || !options.drops_itself()) {
    return embedding_table->forward(labels);
  }
  const auto draws = generator_or_default(generator, labels.device());
  const auto forgotten = at::empty(labels.sizes(), labels.options().dtype(at::kBool))
                             .bernoulli_(options.drop(), draws);
  return embedding_table->forward(labels.masked_fill(forgotten, options.classes()));
}

}  // namespace wf
