#include "nn/winograd.h"

#include "weightformer/core/check.h"

#include "core/parallel.h"
#include "nn/packed_conv.h"
#include "nn/vectorized.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <torch/types.h>

#include <algorithm>
#include <array>
#include <vector>

namespace wf {
namespace {

using at::MemoryFormat;

// Tiles of 2 x 2 outputs that are multiplied together: enough for fast products, few enough that
// their sums stay in the cache. Every product has this many rows, the last ones zeros.
constexpr int64_t kTiles = 128;

// The products, as a convolution of one position per tile with 16 groups.
constexpr PackedShape kProducts{1, 0, 16};

struct Images {
  int64_t batch, height, width;

  int64_t lines() const { return (height + 1) / 2; }
  int64_t columns() const { return (width + 1) / 2; }
  int64_t tiles() const { return batch * lines() * columns(); }

  // Of a tile's first output in an image's rows and columns.
  struct Place {
    int64_t image, y, x;
  };
  Place place(int64_t tile) const {
    return {tile / columns() / lines(), tile / columns() % lines() * 2, tile % columns() * 2};
  }
  // The channels [channels] at a position of a tensor of these images; `outside` beyond them.
  template <typename Float>
  Float* at(Float* data, int64_t channels, const Place& from, int64_t y, int64_t x,
            Float* outside) const {
    if (y < 0 || y >= height || x < 0 || x >= width) return outside;
    return data + ((from.image * height + y) * width + x) * channels;
  }
};

// v[4 a + b] = (Bᵀ d B)[a][b] of the 4 x 4 inputs d of a tile, for each channel.
WF_VECTORIZED void transform_input(const std::array<const float*, 16>& d, int64_t channels,
                                   float* __restrict v) {
  for (int a = 0; a < 4; ++a) {
    // (Bᵀ d)[a] = d[first] + sign d[second].
    const int first = a == 0 ? 0 : a == 2 ? 2 : 1, second = a == 3 ? 3 : a == 2 ? 1 : 2;
    const float sign = a == 1 ? 1 : -1;
    const float *p0 = d[4 * first], *p1 = d[4 * first + 1], *p2 = d[4 * first + 2],
                *p3 = d[4 * first + 3];
    const float *q0 = d[4 * second], *q1 = d[4 * second + 1], *q2 = d[4 * second + 2],
                *q3 = d[4 * second + 3];
    float *v0 = v + 4 * a * channels, *v1 = v0 + channels, *v2 = v1 + channels, *v3 = v2 + channels;
#pragma GCC ivdep
    for (int64_t c = 0; c < channels; ++c) {
      const float x0 = p0[c] + sign * q0[c], x1 = p1[c] + sign * q1[c];
      const float x2 = p2[c] + sign * q2[c], x3 = p3[c] + sign * q3[c];
      v0[c] = x0 - x2;
      v1[c] = x1 + x2;
      v2[c] = x2 - x1;
      v3[c] = x1 - x3;
    }
  }
}

// The 2 x 2 outputs (Aᵀ m A) + bias + residual of a tile, for each channel.
WF_VECTORIZED void transform_output(const float* __restrict m, int64_t channels,
                                    const float* __restrict bias,
                                    const std::array<const float*, 4>& residual,
                                    const std::array<float*, 4>& out) {
  for (int below = 0; below < 2; ++below) {
    // (Aᵀ m) of the upper outputs: m[0] + m[1] + m[2], of the lower: m[1] - m[2] - m[3].
    const float* a = m + (below ? 4 : 0) * channels;
    const float* b = m + (below ? 8 : 4) * channels;
    const float* c = m + (below ? 12 : 8) * channels;
    const float sign = below ? -1 : 1;
    const float *r0 = residual[2 * below], *r1 = residual[2 * below + 1];
    float *y0 = out[2 * below], *y1 = out[2 * below + 1];
#pragma GCC ivdep
    for (int64_t o = 0; o < channels; ++o) {
      const auto sum = [&](int64_t i) { return a[i] + sign * b[i] + sign * c[i]; };
      const float s0 = sum(o), s1 = sum(o + channels), s2 = sum(o + 2 * channels),
                  s3 = sum(o + 3 * channels);
      y0[o] = s0 + s1 + s2 + bias[o] + r0[o];
      y1[o] = s1 - s2 - s3 + bias[o] + r1[o];
    }
  }
}

// v: [kTiles, 16, channels] of the tiles from `begin` to `end`.
void gather(const float* x, int64_t channels, const Images& images, int64_t begin, int64_t end,
            float* v) {
  const std::vector<float> zeros(static_cast<size_t>(channels));
  for (int64_t tile = begin; tile < end; ++tile, v += 16 * channels) {
    const auto place = images.place(tile);
    std::array<const float*, 16> d;
    for (int i = 0; i < 16; ++i) {
      d[i] = images.at(x, channels, place, place.y - 1 + i / 4, place.x - 1 + i % 4, zeros.data());
    }
    transform_input(d, channels, v);
  }
  std::fill_n(v, (kTiles - (end - begin)) * 16 * channels, 0.0f);
}

// m: [kTiles, 16, channels] of the tiles from `begin` to `end`. residual: null for none.
void scatter(const float* m, int64_t channels, const float* bias, const float* residual,
             const Images& images, int64_t begin, int64_t end, float* y) {
  const std::vector<float> zeros(static_cast<size_t>(channels));
  std::vector<float> unused(static_cast<size_t>(channels));
  for (int64_t tile = begin; tile < end; ++tile, m += 16 * channels) {
    const auto place = images.place(tile);
    std::array<const float*, 4> from;
    std::array<float*, 4> to;
    for (int i = 0; i < 4; ++i) {
      const int64_t row = place.y + i / 2, column = place.x + i % 2;
      to[i] = images.at(y, channels, place, row, column, unused.data());
      from[i] =
          residual ? images.at(residual, channels, place, row, column, zeros.data()) : zeros.data();
    }
    transform_output(m, channels, bias, from, to);
  }
}

// [kTiles, 16, I] → [kTiles, 16, O].
at::Tensor multiply(const at::Tensor& v, const WinogradWeights& weights) {
  if (!weights.packed) {
    return at::bmm(v.transpose(0, 1), weights.matrices).transpose(0, 1).contiguous();
  }
  const auto positions = v.view({1, 1, kTiles, -1}).permute({0, 3, 1, 2});
  return packed_conv(positions, weights.matrices, {}, kProducts)
      .permute({0, 2, 3, 1})
      .view({kTiles, 16, weights.outputs});
}

}  // namespace

WinogradWeights winograd_weights(const at::Tensor& weight) {
  const at::NoGradGuard no_grad;
  const int64_t outputs = weight.size(0), channels = weight.size(1);
  const auto g =
      torch::tensor({1.0, 0.0, 0.0, 0.5, 0.5, 0.5, 0.5, -0.5, 0.5, 0.0, 0.0, 1.0}, torch::kDouble)
          .view({4, 3});
  // g w gᵀ of every pair of channels as one product.
  const auto all = weight.detach().to(torch::kDouble).reshape({-1, 9}).matmul(at::kron(g, g).t());
  const auto matrices =
      all.to(torch::kFloat).view({outputs, channels, 16}).permute({2, 0, 1});  // [16, O, I]
  if (!can_pack_conv()) {
    return {matrices.transpose(1, 2).contiguous(), false, outputs, channels};
  }
  const auto packed = pack_conv(matrices.reshape({16 * outputs, channels, 1, 1}), kProducts,
                                {1, 16 * channels, 1, kTiles});
  return {packed, true, outputs, channels};
}

at::Tensor winograd_conv3(const at::Tensor& x, const WinogradWeights& weights,
                          const at::Tensor& bias, const at::Tensor& residual) {
  const int64_t outputs = weights.outputs, channels = weights.channels;
  WF_CHECK(x.dim() == 4 && x.size(1) == channels, "winograd_conv3: expected [B, ", channels,
           ", H, W], got ", x.sizes());
  const Images images{x.size(0), x.size(2), x.size(3)};
  const auto in = x.contiguous(MemoryFormat::ChannelsLast);
  const auto out = at::empty({images.batch, outputs, images.height, images.width}, in.options(),
                             MemoryFormat::ChannelsLast);
  const auto added =
      residual.defined() ? residual.contiguous(MemoryFormat::ChannelsLast) : at::Tensor();
  WF_CHECK(!added.defined() || added.sizes() == out.sizes(), "winograd_conv3: residual: expected ",
           out.sizes(), ", got ", residual.sizes());
  const auto* from = in.const_data_ptr<float>();
  const auto* skip = added.defined() ? added.const_data_ptr<float>() : nullptr;
  auto* to = out.mutable_data_ptr<float>();
  const int64_t tiles = images.tiles(), strips = (tiles + kTiles - 1) / kTiles;
  at::parallel_for(0, strips, 1, [&](int64_t first, int64_t last) {
    const at::AutoDispatchBelowADInplaceOrView guard;
    const auto v = at::empty({kTiles, 16, channels}, torch::kFloat);
    for (int64_t i = first; i < last; ++i) {
      const int64_t begin = i * kTiles, end = std::min(tiles, begin + kTiles);
      gather(from, channels, images, begin, end, v.mutable_data_ptr<float>());
      const auto m = multiply(v, weights);
      scatter(m.const_data_ptr<float>(), outputs, bias.const_data_ptr<float>(), skip, images, begin,
              end, to);
    }
  });
  return out;
}

}  // namespace wf
