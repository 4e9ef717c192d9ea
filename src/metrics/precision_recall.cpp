#include "metrics/precision_recall.h"

#include "weightformer/core/check.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <vector>

namespace wf {
namespace {

constexpr int64_t kRows = 200, kColumns = 4096;  // of a tile of distances, and of its pieces

// Features, moved by -origin piece by piece, since |a|² + |b|² - 2ab loses digits where they lie
// far from 0, and moved all at once they would take their memory again.
struct Points {
  Points(const at::Tensor& features, const at::Tensor& origin) : x(features), origin(origin) {
    squares = torch::empty({size()}, x.options());
    for (int64_t i = 0; i < size(); i += kColumns) {
      squares.slice(0, i, i + kColumns).copy_(moved(i, i + kColumns).square().sum(1));
    }
  }
  int64_t size() const { return x.size(0); }
  at::Tensor moved(int64_t begin, int64_t end) const { return x.slice(0, begin, end) - origin; }

  at::Tensor x, origin;  // [N, D], [D]
  at::Tensor squares;    // [N]
};

// Squared distances of rows [begin, begin + kRows) of `a` to all of `b`.
at::Tensor tile(const Points& a, int64_t begin, const Points& b) {
  const auto rows = a.moved(begin, begin + kRows);
  auto out = torch::empty({rows.size(0), b.size()}, rows.options());
  for (int64_t i = 0; i < b.size(); i += kColumns) {
    const auto columns = b.moved(i, i + kColumns);
    out.slice(1, i, i + kColumns)
        .copy_(at::addmm(b.squares.slice(0, i, i + kColumns), rows, columns.t(), 1, -2));
  }
  return out.add_(a.squares.slice(0, begin, begin + kRows).unsqueeze(1)).clamp_min_(0);
}

at::Tensor radii(const Points& set, int64_t neighbors) {
  std::vector<at::Tensor> found;
  for (int64_t i = 0; i < set.size(); i += kRows) {
    auto distances = tile(set, i, set);
    // The nearest is the point itself, at 0 but for rounding.
    distances.diagonal(i).zero_();
    found.push_back(std::get<0>(distances.kthvalue(neighbors + 1, 1)));
  }
  return torch::cat(found);
}

// The share of `points` in the manifold of `set`.
double share_inside(const Points& points, const Points& set, const at::Tensor& radii) {
  int64_t inside = 0;
  for (int64_t i = 0; i < points.size(); i += kRows) {
    inside += (tile(points, i, set) <= radii).any(1).sum().item<int64_t>();
  }
  return static_cast<double>(inside) / static_cast<double>(points.size());
}

}  // namespace

PrecisionRecall precision_recall(const at::Tensor& samples, const at::Tensor& reference,
                                 int64_t neighbors) {
  WF_CHECK(samples.dim() == 2 && reference.dim() == 2 && samples.size(1) == reference.size(1) &&
               samples.scalar_type() == reference.scalar_type(),
           "precision and recall: expected [M, D] and [N, D] of one dtype, got ", samples.sizes(),
           " and ", reference.sizes());
  WF_CHECK(neighbors > 0 && samples.size(0) > neighbors && reference.size(0) > neighbors,
           "precision and recall: ", neighbors, " neighbors need at least ", neighbors + 1,
           " images on each side, got ", samples.size(0), " and ", reference.size(0));
  const at::NoGradGuard no_grad;
  const auto origin = reference.mean(0);
  const Points ours(samples, origin), theirs(reference, origin);
  return {share_inside(ours, theirs, radii(theirs, neighbors)),
          share_inside(theirs, ours, radii(ours, neighbors))};
}

}  // namespace wf
