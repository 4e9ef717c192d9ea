#include "nn/winograd.h"

#include "weightformer/core/check.h"

#include "core/parallel.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <torch/types.h>

#include <algorithm>
#include <vector>

#if defined(__x86_64__)
#define WF_VECTORIZED __attribute__((target_clones("arch=haswell", "default")))
#else
#define WF_VECTORIZED
#endif

namespace wf {
namespace {

// Tiles of 2 x 2 outputs that are transformed together: their sums stay in the cache, and the
// products are of matrices that are large enough.
constexpr int64_t kTiles = 192;

// A part of an image: `rows` rows of tiles from `top` on, each of `columns`.
struct Strip {
  int64_t top, rows, columns, height, width;

  int64_t tiles() const { return rows * columns; }
};

// One row of an image with a zero in front as its even and its odd elements, columns + 1 of each.
void split(const float* row, int64_t width, int64_t columns, float* even, float* odd) {
  even[0] = 0;
  const int64_t pairs = width / 2;
  for (int64_t j = 0; j < pairs; ++j) {
    odd[j] = row[2 * j];
    even[j + 1] = row[2 * j + 1];
  }
  for (int64_t j = pairs; j <= columns; ++j) {
    odd[j] = 2 * j < width ? row[2 * j] : 0;
    if (j + 1 <= columns) even[j + 1] = 0;
  }
}

// out[k][j] of one row of tiles, k = 4 a + b: (Bᵀ d B)[a][b] of the 4 x 4 inputs d of tile j, from
// the split rows: even at e[row], odd at o[row]. `stride`: from one k to the next.
WF_VECTORIZED void transform_input(const float* const* e, const float* const* o, int64_t columns,
                                   float* out, int64_t stride) {
  const auto row = [&](int a, int first, int second, float sign) {
    const float *e1 = e[first], *e2 = e[second], *o1 = o[first], *o2 = o[second];
    float *v0 = out + 4 * a * stride, *v1 = v0 + stride, *v2 = v1 + stride, *v3 = v2 + stride;
    for (int64_t j = 0; j < columns; ++j) {
      const float x0 = e1[j] + sign * e2[j], x1 = o1[j] + sign * o2[j];
      const float x2 = e1[j + 1] + sign * e2[j + 1], x3 = o1[j + 1] + sign * o2[j + 1];
      v0[j] = x0 - x2;
      v1[j] = x1 + x2;
      v2[j] = x2 - x1;
      v3[j] = x1 - x3;
    }
  };
  row(0, 0, 2, -1);
  row(1, 1, 2, 1);
  row(2, 2, 1, -1);
  row(3, 1, 3, -1);
}

// The 2 x 2 outputs of one row of tiles, (Aᵀ m A) + bias, to top and below (null: beyond the
// image), of `width` columns.
WF_VECTORIZED void transform_output(const float* m, int64_t stride, int64_t columns, float bias,
                                    float* top, float* below, int64_t width) {
  const auto at = [&](int a, int b) { return m + (4 * a + b) * stride; };
  const auto write = [&](float* out, auto sum) {
    const int64_t pairs = width / 2;
    for (int64_t j = 0; j < columns; ++j) {
      const float s0 = sum(0, j), s1 = sum(1, j), s2 = sum(2, j), s3 = sum(3, j);
      out[2 * j] = s0 + s1 + s2 + bias;
      if (j < pairs) out[2 * j + 1] = s1 - s2 - s3 + bias;
    }
  };
  write(top, [&](int b, int64_t j) { return at(0, b)[j] + at(1, b)[j] + at(2, b)[j]; });
  if (!below) return;
  write(below, [&](int b, int64_t j) { return at(1, b)[j] - at(2, b)[j] - at(3, b)[j]; });
}

// v: [16, channels, tiles] of the strip.
void gather(const float* image, int64_t channels, const Strip& s, float* v) {
  const int64_t lines = 2 * s.rows + 2, half = s.columns + 1, stride = channels * s.tiles();
  std::vector<float> halves(static_cast<size_t>(2 * lines * half));
  const auto even = [&](int64_t line) { return halves.data() + line * half; };
  const auto odd = [&](int64_t line) { return even(lines + line); };
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t line = 0; line < lines; ++line) {
      const int64_t y = 2 * s.top - 1 + line;
      if (y >= 0 && y < s.height) {
        split(image + (c * s.height + y) * s.width, s.width, s.columns, even(line), odd(line));
      } else {
        std::fill_n(even(line), half, 0.0f);
        std::fill_n(odd(line), half, 0.0f);
      }
    }
    for (int64_t r = 0; r < s.rows; ++r) {
      const float *e[4], *o[4];
      for (int i = 0; i < 4; ++i) e[i] = even(2 * r + i), o[i] = odd(2 * r + i);
      transform_input(e, o, s.columns, v + c * s.tiles() + r * s.columns, stride);
    }
  }
}

// m: [16, channels, tiles] of the strip.
void scatter(const float* m, int64_t channels, const float* bias, const Strip& s, float* image) {
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t r = 0; r < s.rows; ++r) {
      const int64_t y = 2 * (s.top + r);
      float* top = image + (c * s.height + y) * s.width;
      transform_output(m + c * s.tiles() + r * s.columns, channels * s.tiles(), s.columns, bias[c],
                       top, y + 1 < s.height ? top + s.width : nullptr, s.width);
    }
  }
}

}  // namespace

at::Tensor winograd_weights(const at::Tensor& weight) {
  const at::NoGradGuard no_grad;
  const auto g =
      torch::tensor({1.0, 0.0, 0.0, 0.5, 0.5, 0.5, 0.5, -0.5, 0.5, 0.0, 0.0, 1.0}, torch::kDouble)
          .view({4, 3});
  const auto u = g.matmul(weight.detach().to(torch::kDouble)).matmul(g.t());  // [O, I, 4, 4]
  return u.permute({2, 3, 0, 1}).reshape({16, u.size(0), u.size(1)}).to(torch::kFloat).contiguous();
}

at::Tensor winograd_conv3(const at::Tensor& x, const at::Tensor& weights, const at::Tensor& bias) {
  const int64_t outputs = weights.size(1), channels = weights.size(2);
  WF_CHECK(x.dim() == 4 && x.size(1) == channels, "winograd_conv3: expected [B, ", channels,
           ", H, W], got ", x.sizes());
  const auto in = x.contiguous();
  const int64_t height = x.size(2), width = x.size(3);
  const auto out = at::empty({x.size(0), outputs, height, width}, in.options());
  const int64_t lines = (height + 1) / 2, columns = (width + 1) / 2;
  const int64_t rows = std::clamp<int64_t>(kTiles / std::max<int64_t>(columns, 1), 1, lines);
  const int64_t strips = (lines + rows - 1) / rows;
  const auto* from = in.const_data_ptr<float>();
  auto* to = out.mutable_data_ptr<float>();
  at::parallel_for(0, x.size(0) * strips, 1, [&](int64_t begin, int64_t end) {
    const at::AutoDispatchBelowADInplaceOrView guard;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t image = i / strips, top = i % strips * rows;
      const Strip strip{top, std::min(rows, lines - top), columns, height, width};
      auto v = at::empty({16, channels, strip.tiles()}, torch::kFloat);
      gather(from + image * channels * height * width, channels, strip, v.data_ptr<float>());
      const auto m = at::bmm(weights, v);
      scatter(m.const_data_ptr<float>(), outputs, bias.const_data_ptr<float>(), strip,
              to + image * outputs * height * width);
    }
  });
  return out;
}

}  // namespace wf
