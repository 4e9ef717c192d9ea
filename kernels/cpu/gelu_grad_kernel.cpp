#include "kernels/cpu/capability.h"
#include "kernels/cpu/loop_vectors.h"
#include "ops/gelu_grad.h"

#include <ATen/Dispatch.h>

#include <cmath>

namespace wf {
namespace {

// gelu(x) and gelu'(x), in the order of operations of ATen's own kernels.
template <typename V>
struct Gelu {
  V value, slope;

  static Gelu exact(const V& x) {
    const auto cdf = (V(1) + (x * V(M_SQRT1_2)).erf()) * V(0.5);
    const auto pdf = (x * x * V(-0.5)).exp() * V(M_2_SQRTPI * M_SQRT1_2 * 0.5);
    return {x * cdf, at::vec::fmadd(x, pdf, cdf)};
  }
  static Gelu by_tanh(const V& x) {
    constexpr double kBeta = M_SQRT2 * M_2_SQRTPI * 0.5, kCubic = 0.044715;
    const auto square = x * x;
    const auto t = (V(kBeta) * at::vec::fmadd(V(kCubic) * square, x, x)).tanh();
    const auto inner = V(kBeta) * at::vec::fmadd(V(3 * kCubic), square, V(1));
    const auto half = V(0.5) * (V(1) + t);
    return {x * half, at::vec::fmadd(V(0.5) * x * (V(1) - t * t), inner, half)};
  }
};

template <bool kTanh, typename T>
void gelu_grad_loop(T* grad, const T* x, T* y, int64_t count) {
  constexpr int64_t kNumbers = 8192;  // per thread at least: half a microsecond of work
  parallel_for(0, count, kNumbers, [=](int64_t begin, int64_t end) {
    for_each_vector<T>(end - begin, [&](auto full, int64_t i, int64_t n) {
      const auto v = load<full.value>(x + begin + i, n);
      const auto gelu = kTanh ? Gelu<Vec<T>>::by_tanh(v) : Gelu<Vec<T>>::exact(v);
      store(y + begin + i, gelu.value, n);
      store(grad + begin + i, load<full.value>(grad + begin + i, n) * gelu.slope, n);
    });
  });
}

at::Tensor gelu_grad_of(const at::Tensor& grad, const at::Tensor& given,
                        c10::string_view approximate) {
  return gelu_grad_entry(
      grad, given, approximate,
      [](const at::Tensor& g, const at::Tensor& x, const at::Tensor& y, bool tanh) {
        AT_DISPATCH_FLOATING_TYPES_AND2(
            at::kHalf, at::kBFloat16, x.scalar_type(), "gelu_grad_", [&] {
              const auto loop =
                  tanh ? &gelu_grad_loop<true, scalar_t> : &gelu_grad_loop<false, scalar_t>;
              loop(g.mutable_data_ptr<scalar_t>(), x.const_data_ptr<scalar_t>(),
                   y.mutable_data_ptr<scalar_t>(), x.numel());
            });
      });
}

WF_INTERNAL_CPU_KERNELS(m) { m.impl("gelu_grad_", &gelu_grad_of); }

}  // namespace
}  // namespace wf
