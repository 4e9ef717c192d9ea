// One thread per pack of numbers: each is read and written once.
#pragma once

#include "kernels/cuda/pack.cuh"

#include <cmath>

namespace wf::cuda {

template <typename T>
struct GeluGradParams {
  T* grad;     // in: the gradient of gelu(x); out: that of x
  const T* x;  // as many numbers as in grad
  T* y;        // gelu(x)
  int64_t count;
};

constexpr int kGeluThreads = 256;

// gelu(x), and grad becomes grad * gelu'(x).
template <typename A>
__device__ A exact_gelu(A x, A& grad) {
  const A cdf = A(0.5) * (1 + std::erf(x * A(0.70710678118654752440)));
  const A pdf = A(0.39894228040143267794) * std::exp(A(-0.5) * x * x);
  grad *= cdf + x * pdf;
  return x * cdf;
}
template <typename A>
__device__ A tanh_gelu(A x, A& grad) {
  constexpr A kBeta = A(0.79788456080286535588), kCubic = A(0.044715);
  const A square = x * x, t = std::tanh(kBeta * (x + kCubic * square * x));
  const A half = A(0.5) * (1 + t);
  grad *= half + A(0.5) * x * (1 - t * t) * kBeta * (1 + 3 * kCubic * square);
  return x * half;
}

template <bool kTanh, typename T, int N>
__global__ void __launch_bounds__(kGeluThreads) gelu_grad_kernel(GeluGradParams<T> p) {
  const int64_t at = (int64_t{blockIdx.x} * kGeluThreads + threadIdx.x) * N;
  if (at >= p.count) return;
  auto grad = load<N>(p.grad + at), y = load<N>(p.x + at);
  for (int i = 0; i < N; ++i) {
    y.lane[i] = kTanh ? tanh_gelu(y.lane[i], grad.lane[i]) : exact_gelu(y.lane[i], grad.lane[i]);
  }
  store(p.y + at, y);
  store(p.grad + at, grad);
}

/// launch(kernel, shape, params)
template <typename T, typename Launch>
void launch_gelu_grad(const GeluGradParams<T>& p, bool tanh, Launch launch) {
  with_pack<kPack<T>>(p.count, {p.grad, p.x, p.y}, [&](auto n) {
    constexpr int N = decltype(n)::value;
    const LaunchShape shape{ceil_div(p.count / N, kGeluThreads), kGeluThreads};
    tanh ? launch(gelu_grad_kernel<true, T, N>, shape, p)
         : launch(gelu_grad_kernel<false, T, N>, shape, p);
  });
}

/// Every kernel of this file, for tests/cuda/.
template <typename T, typename Launch>
void instantiate_gelu_grad(Launch launch) {
  launch_gelu_grad(GeluGradParams<T>{}, /*tanh=*/true, launch);
  launch_gelu_grad(GeluGradParams<T>{}, /*tanh=*/false, launch);
}

}  // namespace wf::cuda
