#include "metrics/inception_score.h"

#include "weightformer/core/check.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>

namespace wf {

InceptionScoreSums::InceptionScoreSums(int64_t chunk) : chunk_(chunk) {
  WF_CHECK(chunk > 0, "inception score: expected chunks of at least one image, got ", chunk);
}

// KL(p ‖ mean) = Σ p log p - Σ p log mean, and the mean of the last term is that of `mean` itself.
double InceptionScoreSums::Chunk::score() const {
  const auto mean = probabilities / static_cast<double>(images);
  const double entropy = -torch::xlogy(mean, mean).sum().item<double>();
  return std::exp(negative_entropies / static_cast<double>(images) + entropy);
}

void InceptionScoreSums::add(const at::Tensor& logits) {
  WF_CHECK(logits.dim() == 2 && logits.size(1) > 0,
           "inception score: expected logits [N, classes], got ", logits.sizes());
  for (int64_t begin = 0; begin < logits.size(0);) {
    const auto end = std::min(logits.size(0), begin + chunk_ - last_.images);
    const auto x = logits.slice(0, begin, end).to(torch::kCPU, torch::kDouble);
    const auto p = x.softmax(1);
    last_.negative_entropies += (p * x.log_softmax(1)).sum().item<double>();
    const auto sum = p.sum(0);
    last_.probabilities = last_.images == 0 ? sum : last_.probabilities + sum;
    last_.images += end - begin;
    if (last_.images == chunk_) {
      full_.push_back(last_.score());
      last_ = {};
    }
    begin = end;
  }
}

InceptionScore InceptionScoreSums::score() const {
  auto scores = full_;
  if (last_.images > 0) scores.push_back(last_.score());
  WF_CHECK(!scores.empty(), "inception score: there are no images");
  const auto values = torch::tensor(scores, torch::kDouble);
  return {values.mean().item<double>(), values.std(/*unbiased=*/false).item<double>()};
}

InceptionScore inception_score(const at::Tensor& logits, int64_t chunk) {
  WF_CHECK(logits.dim() == 2 && logits.numel() > 0,
           "inception score: expected logits [N, classes], got ", logits.sizes());
  InceptionScoreSums sums(chunk);
  sums.add(logits);
  return sums.score();
}

}  // namespace wf
