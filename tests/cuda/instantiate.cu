// Every kernel for every dtype, without ATen, for ptxas_report.py to compile and look at.
#include "kernels/cuda/column_gain_kernel.cuh"
#include "kernels/cuda/dynamic_dwconv_kernel.cuh"
#include "kernels/cuda/grid_pool3_kernel.cuh"
#include "kernels/cuda/token_pool_kernel.cuh"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

namespace wf::cuda {

template <typename T>
void instantiate() {
  const auto launch = [](auto kernel, const LaunchShape& shape, const auto&... params) {
    kernel<<<static_cast<unsigned>(shape.blocks), shape.block>>>(params...);
  };
  using A = Accumulate<T>;
  launch_token_pool(TokenPoolParams<T>{}, launch);
  launch_token_pool_backward(TokenPoolParams<T>{}, launch);
  launch_grid_pool3(GridPool3Params<T>{}, launch);
  launch_grid_pool3_backward(GridPool3Params<T>{}, launch);
  launch_column_gain(ColumnGainParams<T>{}, launch);
  launch_column_gain_backward(ColumnGainBackwardParams<T>{}, launch);
  launch_dwconv(DwconvInput<T, A>{}, static_cast<T*>(nullptr), launch);
  launch_dwconv_backward(DwconvInput<T, A>{}, DwconvGradients<T, A>{}, launch);
}

template void instantiate<float>();
template void instantiate<double>();
template void instantiate<c10::Half>();
template void instantiate<c10::BFloat16>();

}  // namespace wf::cuda
