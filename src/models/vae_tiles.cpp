#include "models/vae_tiles.h"

#include "weightformer/core/check.h"

#include <torch/types.h>

#include <algorithm>
#include <vector>

namespace wf {
namespace {

// Goes over from the end of `before` to the beginning of `after`, along `dim`, in `after`.
void blend(const at::Tensor& before, at::Tensor after, int64_t dim, int64_t extent) {
  extent = std::min({before.size(dim), after.size(dim), extent});
  std::vector<int64_t> shape(4, 1);
  shape[dim] = extent;
  const auto part = (torch::arange(extent, after.options()) / extent).view(shape);
  auto begin = after.narrow(dim, 0, extent);
  begin.copy_(before.narrow(dim, before.size(dim) - extent, extent) * (1 - part) + begin * part);
}

}  // namespace

Tiles::Tiles(int64_t in, int64_t out, int64_t least) : in_(in), out_(out), least_(least) {
  WF_CHECK(in > 0 && out > 0 && in % 4 == 0 && out % 4 == 0,
           "VAE: tiles need sides that are multiples of 4 in the image and the latents, got ", in,
           " and ", out);
}

at::Tensor Tiles::run(const at::Tensor& x,
                      const std::function<at::Tensor(const at::Tensor&)>& work) const {
  const int64_t step = in_ - in_ / 4, extent = out_ / 4, kept = out_ - extent;
  std::vector<at::Tensor> above, rows;
  for (int64_t top = 0; top == 0 || top + least_ <= x.size(2); top += step) {
    std::vector<at::Tensor> tiles, parts;
    for (int64_t left = 0; left == 0 || left + least_ <= x.size(3); left += step) {
      auto tile = work(x.slice(2, top, top + in_).slice(3, left, left + in_));
      if (top > 0) blend(above[tiles.size()], tile, 2, extent);
      if (left > 0) blend(tiles.back(), tile, 3, extent);
      tiles.push_back(tile);
      parts.push_back(tile.slice(2, 0, kept).slice(3, 0, kept));
    }
    rows.push_back(torch::cat(parts, 3));
    above = std::move(tiles);
  }
  return torch::cat(rows, 2);
}

}  // namespace wf
