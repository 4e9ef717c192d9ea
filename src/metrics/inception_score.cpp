#include "metrics/inception_score.h"

#include "weightformer/core/check.h"

#include <torch/types.h>

#include <cmath>
#include <vector>

namespace wf {

InceptionScore inception_score(const at::Tensor& logits, int64_t chunk) {
  WF_CHECK(logits.dim() == 2 && logits.numel() > 0 && chunk > 0,
           "inception score: expected logits [N, classes], got ", logits.sizes(), " in chunks of ",
           chunk);
  std::vector<double> scores;
  for (const auto& part : logits.split(chunk)) {
    const auto x = part.to(torch::kDouble);
    const auto p = x.softmax(1), log_p = x.log_softmax(1);
    // A probability that underflows has log_p - log_mean = -inf + inf; its term is 0.
    const auto log_mean = p.mean(0).log();
    const auto terms = torch::where(p > 0, p * (log_p - log_mean), 0.0);
    scores.push_back(std::exp(terms.sum(1).mean().item<double>()));
  }
  const auto values = torch::tensor(scores, torch::kDouble);
  return {values.mean().item<double>(), values.std(/*unbiased=*/false).item<double>()};
}

}  // namespace wf
