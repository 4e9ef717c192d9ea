// The kernels of the CPU. Compiled once for each instruction set; see registration.cpp.

#include "kernels/cpu/column_gain_loops.h"
#include "kernels/cpu/dynamic_dwconv_loops.h"
#include "kernels/cpu/grid_pool3_loops.h"
#include "kernels/cpu/layer_norm_loops.h"
#include "kernels/cpu/token_pool_loops.h"
#include "kernels/stable/operators.h"

namespace wf {
namespace {

struct Cpu {
  static bool holds(const torch::stable::Tensor& t) { return t.is_cpu(); }
  struct Guard {
    explicit Guard(const torch::stable::Tensor&) {}
  };

  template <typename T>
  static void token_pool(const T* x, T* y, const TokenGrid& g) {
    token_pool_loop(x, y, g);
  }
  template <typename T>
  static void token_pool_backward(const T* grad, T* grad_x, const TokenGrid& g) {
    token_pool_backward_loop(grad, grad_x, g);
  }
  template <typename T>
  static void grid_pool3(const T* x, T* y, const TokenGrid& g) {
    grid_pool3_loop(x, y, g);
  }
  template <typename T>
  static void grid_pool3_backward(const T* grad, T* grad_x, const TokenGrid& g) {
    grid_pool3_backward_loop(grad, grad_x, g);
  }

  template <typename T, typename A>
  static void column_gain(const T* right, const A* product, T* gained, A* norm, A scale,
                          const ColumnGainShape& s) {
    gain(right, product, gained, norm, scale, s);
  }
  template <typename T, typename A>
  static void column_gain_backward(const T* grad, const T* right, const A* product, const A* norm,
                                   T* grad_right, A* weighted, A scale, const ColumnGainShape& s) {
    gain_backward(grad, right, product, norm, grad_right, weighted, scale, s);
  }

  template <typename T, typename A>
  static void dynamic_dwconv(const DwconvInput<T, A>& in, T* y) {
    for_each_strip(in, [&](auto full, auto plain, const Strip& s) {
      forward_strip<full.value, plain.value>(in, y, s);
    });
  }
  template <typename T, typename A>
  static void dynamic_dwconv_backward(const DwconvInput<T, A>& in,
                                      const DwconvGradients<T, A>& out) {
    for_each_strip(in, [&](auto full, auto plain, const Strip& s) {
      backward_strip<full.value, plain.value>(in, out, s);
    });
  }

  template <typename T, typename U, typename Y, typename A>
  static void layer_norm(const NormInput<T, U, Y, A>& in) {
    layer_norm_loop(in);
  }
  template <typename T, typename U, typename Y, typename A>
  static void layer_norm_backward(const NormGradients<T, U, Y, A>& g) {
    layer_norm_backward_loop(g);
  }
};

}  // namespace

namespace stable::CPU_CAPABILITY {

void add_loops(Library& m) { Operators<Cpu>::add(m); }

}  // namespace stable::CPU_CAPABILITY
}  // namespace wf
