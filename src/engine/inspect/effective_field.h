// The effective receptive field of a classifier: which pixels its last tokens depend on, and how
// much.
#pragma once

#include "weightformer/models/weightformer.h"

#include <cstdint>

namespace wf {

/// The effective receptive field (Luo et al. 2016) of the tokens in the center of the grid, one,
/// two or four. images: [B, 3, H, W], normalized → [H, W] float64 on the CPU. Of every image the
/// gradient of the sum over channels of ReLU(token), the mean over the central tokens; the result
/// is the mean of its positive part over images and color channels. ReLU and positive part are as
/// in RepLKNet's analysis (Ding et al. 2022), so that its tables can be compared. Tokens are those
/// of WeightFormerImpl::tokens(). The model computes in evaluation mode.
at::Tensor effective_field(WeightFormerImpl& model, const at::Tensor& images);

/// The same in parts of `batch` images, on the device of the model.
at::Tensor effective_field(WeightFormerImpl& model, const at::Tensor& images, int64_t batch);

/// A rectangle of pixels.
struct FieldBox {
  int64_t top = 0, left = 0, height = 0, width = 0;
};

/// What the central tokens of a network of static layers can depend on at all: their patches, and
/// those that the 3 x 3 convolutions reach, one more on each side for each block.
FieldBox static_field(const WeightFormerImpl& model, int64_t height, int64_t width);

/// The area of the smallest centered rectangle that holds at least `part` of the sum of `map`, as a
/// fraction of the map. The rectangles grow by one pixel on each side and end at the borders; for a
/// square map they are squares. map: [H, W], not negative; part in 0 … 1. Throws wf::Error for a
/// map without positive values.
double area_ratio(const at::Tensor& map, double part);

}  // namespace wf
