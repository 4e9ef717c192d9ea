#include "nn/group_norm_silu.h"

#include "weightformer/core/check.h"

#include "core/parallel.h"
#include "nn/vectorized.h"

#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace wf {
namespace {

// Positions whose sums are formed together; fixed, since the order of additions follows from it.
constexpr int64_t kPositions = 256;

struct Shape {
  int64_t positions, channels, groups;

  int64_t chunks() const { return (positions + kPositions - 1) / kPositions; }
};

// The sums and the sums of squares of each channel are added to sums[0 … 2 channels).
WF_VECTORIZED void add_up(const float* x, int64_t positions, int64_t channels,
                          double* __restrict sums) {
  double* __restrict squares = sums + channels;
  for (int64_t p = 0; p < positions; ++p, x += channels) {
#pragma GCC ivdep
    for (int64_t c = 0; c < channels; ++c) {
      const double value = x[c];
      sums[c] += value;
      squares[c] += value * value;
    }
  }
}

// eˣ with a relative error of some 1e-7: x = n ln 2 + r, and the series of eʳ, |r| ≤ ln 2 / 2.
inline float exponential(float x) {
  x = std::min(std::max(x, -87.0f), 88.0f);
  constexpr float kRound = 12582912.0f;  // 1.5 * 2²³: its sum with a number has no fraction
  const float shifted = x * 1.44269504f + kRound, n = shifted - kRound;
  // ln 2 in two parts, of which the first has few enough digits that its product with n is exact.
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float sum = 1.0f / 5040;
  for (const float factor : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f}) {
    sum = sum * r + factor;
  }
  // 2ⁿ: n as the exponent of a float.
  const int32_t bits = (static_cast<int32_t>(n) + 127) << 23;
  return sum * __builtin_bit_cast(float, bits);
}

template <bool kSilu>
inline __attribute__((always_inline)) void normalize_as(const float* x, int64_t positions,
                                                        int64_t channels, const float* scale,
                                                        float* __restrict y) {
  const float* shift = scale + channels;
  for (int64_t p = 0; p < positions; ++p, x += channels, y += channels) {
#pragma GCC ivdep
    for (int64_t c = 0; c < channels; ++c) {
      const float z = x[c] * scale[c] + shift[c];
      y[c] = kSilu ? z / (1 + exponential(-z)) : z;
    }
  }
}

// scale: a factor and a summand for each channel.
WF_VECTORIZED void normalize(const float* x, int64_t positions, int64_t channels,
                             const float* scale, float* y) {
  normalize_as<false>(x, positions, channels, scale, y);
}
WF_VECTORIZED void normalize_silu(const float* x, int64_t positions, int64_t channels,
                                  const float* scale, float* y) {
  normalize_as<true>(x, positions, channels, scale, y);
}

// From the chunks' sums of an image, added in their order.
void find_scale(const double* sums, const Shape& s, const torch::nn::GroupNormImpl& norm,
                float* scale) {
  const auto* weight = norm.weight.const_data_ptr<float>();
  const auto* bias = norm.bias.const_data_ptr<float>();
  const int64_t width = s.channels / s.groups;
  for (int64_t group = 0; group < s.groups; ++group) {
    double sum = 0, squares = 0;
    for (int64_t chunk = 0; chunk < s.chunks(); ++chunk) {
      const double* of_chunk = sums + chunk * 2 * s.channels + group * width;
      for (int64_t c = 0; c < width; ++c) sum += of_chunk[c], squares += of_chunk[s.channels + c];
    }
    const auto count = static_cast<double>(width * s.positions);
    const double mean = sum / count, variance = std::max(squares / count - mean * mean, 0.0);
    const double inverse = 1 / std::sqrt(variance + norm.options.eps());
    for (int64_t c = group * width; c < (group + 1) * width; ++c) {
      scale[c] = static_cast<float>(weight[c] * inverse);
      scale[s.channels + c] = static_cast<float>(bias[c] - weight[c] * inverse * mean);
    }
  }
}

}  // namespace

at::Tensor group_norm_silu(const at::Tensor& x, const torch::nn::GroupNormImpl& norm, bool silu) {
  const Shape s{x.size(2) * x.size(3), x.size(1), norm.options.num_groups()};
  WF_CHECK(s.channels == norm.options.num_channels(), "group_norm_silu: expected ",
           norm.options.num_channels(), " channels, got ", x.sizes());
  const auto in = x.contiguous(at::MemoryFormat::ChannelsLast);
  const auto out = at::empty_like(in);
  const auto* from = in.const_data_ptr<float>();
  auto* to = out.mutable_data_ptr<float>();
  const int64_t images = x.size(0), all = images * s.chunks();
  std::vector<double> sums(static_cast<size_t>(all * 2 * s.channels));
  std::vector<float> scale(static_cast<size_t>(images * 2 * s.channels));
  // call(first element, positions, image, chunk of all)
  const auto for_chunks = [&](auto call) {
    at::parallel_for(0, all, 1, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        const int64_t image = i / s.chunks(), begin = i % s.chunks() * kPositions;
        call((image * s.positions + begin) * s.channels, std::min(kPositions, s.positions - begin),
             image, i);
      }
    });
  };
  for_chunks([&](int64_t at, int64_t positions, int64_t, int64_t chunk) {
    add_up(from + at, positions, s.channels, sums.data() + chunk * 2 * s.channels);
  });
  for (int64_t image = 0; image < images; ++image) {
    find_scale(sums.data() + image * s.chunks() * 2 * s.channels, s, norm,
               scale.data() + image * 2 * s.channels);
  }
  for_chunks([&](int64_t at, int64_t positions, int64_t image, int64_t) {
    const auto* of_image = scale.data() + image * 2 * s.channels;
    (silu ? normalize_silu : normalize)(from + at, positions, s.channels, of_image, to + at);
  });
  return out;
}

}  // namespace wf
