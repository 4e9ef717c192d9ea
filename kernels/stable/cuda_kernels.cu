// The kernels of GPUs as operators on torch's stable ABI: a library of its own, since it needs
// libtorch_cuda, which a torch for the CPU does not have.

#include "kernels/cuda/column_gain_kernel.cuh"
#include "kernels/cuda/dynamic_dwconv_kernel.cuh"
#include "kernels/cuda/grid_pool3_kernel.cuh"
#include "kernels/cuda/layer_norm_kernel.cuh"
#include "kernels/cuda/token_pool_kernel.cuh"
#include "kernels/stable/operators.h"

#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/macros.h>

#include <cuda_runtime.h>

namespace wf {
namespace {

// launch(kernel, shape, params...) on PyTorch's current stream of the current device.
auto launcher(const char* op) {
  return [op](auto kernel, const cuda::LaunchShape& shape, const auto&... params) {
    STD_TORCH_CHECK(shape.blocks * shape.block.x * shape.block.y <= INT32_MAX, "[", op,
                    "] more than 2^31 threads: split the batch");
    void* stream = nullptr;
    TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(
        torch::stable::accelerator::getCurrentDeviceIndex(), &stream));
    kernel<<<static_cast<unsigned>(shape.blocks), shape.block, 0,
             static_cast<cudaStream_t>(stream)>>>(params...);
    STD_CUDA_KERNEL_LAUNCH_CHECK();
  };
}

struct Gpu {
  static bool holds(const torch::stable::Tensor& t) { return t.is_cuda(); }
  struct Guard {
    explicit Guard(const torch::stable::Tensor& t) : guard(t.get_device_index()) {}
    torch::stable::accelerator::DeviceGuard guard;
  };

  template <typename T>
  static cuda::TokenPoolParams<T> pool(const T* from, T* to, const TokenGrid& g) {
    return {from, to, g.batch, g.height, g.width, g.channels};
  }
  template <typename T>
  static void token_pool(const T* x, T* y, const TokenGrid& g) {
    cuda::launch_token_pool(pool(x, y, g), launcher("token_pool"));
  }
  template <typename T>
  static void token_pool_backward(const T* grad, T* grad_x, const TokenGrid& g) {
    cuda::launch_token_pool_backward(pool(grad, grad_x, g), launcher("token_pool_backward"));
  }
  template <typename T>
  static void grid_pool3(const T* x, T* y, const TokenGrid& g) {
    cuda::launch_grid_pool3(cuda::grid_pool3_params(x, y, g.batch, g.height, g.width, g.channels),
                            launcher("grid_pool3"));
  }
  template <typename T>
  static void grid_pool3_backward(const T* grad, T* grad_x, const TokenGrid& g) {
    cuda::launch_grid_pool3_backward(
        cuda::grid_pool3_params(grad, grad_x, g.batch, g.height, g.width, g.channels),
        launcher("grid_pool3_backward"));
  }

  template <typename T, typename A>
  static void column_gain(const T* right, const A* product, T* gained, A* norm, A scale,
                          const ColumnGainShape& s) {
    cuda::launch_column_gain<T>({right, product, gained, norm, scale, s.batch, s.rows, s.columns},
                                launcher("column_gain"));
  }
  template <typename T, typename A>
  static void column_gain_backward(const T* grad, const T* right, const A* product, const A* norm,
                                   T* grad_right, A* weighted, A scale, const ColumnGainShape& s) {
    cuda::launch_column_gain_backward<T>(
        {grad, right, product, norm, grad_right, weighted, scale, s.batch, s.rows, s.columns},
        launcher("column_gain_backward"));
  }

  // Kernels count within a sample in 32 bits.
  template <typename In>
  static void check_size(const In& in) {
    STD_TORCH_CHECK(in.height * in.width * in.channels <= INT32_MAX,
                    "[dynamic_dwconv] x: more than 2^31 numbers in a sample");
  }
  template <typename T, typename A>
  static void dynamic_dwconv(const DwconvInput<T, A>& in, T* y) {
    check_size(in);
    cuda::launch_dwconv(in, y, launcher("dynamic_dwconv"));
  }
  template <typename T, typename A>
  static void dynamic_dwconv_backward(const DwconvInput<T, A>& in,
                                      const DwconvGradients<T, A>& out) {
    check_size(in);
    cuda::launch_dwconv_backward(in, out, launcher("dynamic_dwconv_backward"));
  }

  template <typename T>
  static void check_fits(const NormShape& s) {
    STD_TORCH_CHECK(cuda::fits_layer_norm<T>(s.channels), "[layer_norm] x: ", s.channels,
                    " channels do not fit into a block; use torch.nn.functional.layer_norm");
  }
  template <typename T, typename U, typename Y, typename A>
  static void layer_norm(const NormInput<T, U, Y, A>& in) {
    check_fits<T>(in.shape);
    cuda::launch_layer_norm(in, launcher("layer_norm"));
  }
  template <typename T, typename U, typename Y, typename A>
  static void layer_norm_backward(const NormGradients<T, U, Y, A>& g) {
    check_fits<T>(g.shape);
    cuda::launch_layer_norm_backward(g, launcher("layer_norm_backward"));
  }
};

}  // namespace
}  // namespace wf

STABLE_TORCH_LIBRARY_IMPL(wf_loops, CUDA, m) { wf::stable::Operators<wf::Gpu>::add(m); }
