// Checks that CUDA code of this project compiles for every architecture, and runs if there is a
// GPU. CTest interprets exit code 77 as "no GPU".
#include <cuda_runtime.h>

#include <cstdio>

namespace {

constexpr int kCount = 1000;

__global__ void scale(float* values, float factor, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) values[i] *= factor;
}

}  // namespace

int main() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::puts("skipped: no CUDA device on this machine");
    return 77;
  }
  float* values = nullptr;
  if (cudaMallocManaged(&values, kCount * sizeof(float)) != cudaSuccess) return 1;
  for (int i = 0; i < kCount; ++i) values[i] = static_cast<float>(i);
  scale<<<(kCount + 255) / 256, 256>>>(values, 2.0f, kCount);
  if (cudaDeviceSynchronize() != cudaSuccess) return 1;
  for (int i = 0; i < kCount; ++i) {
    if (values[i] != 2.0f * static_cast<float>(i)) {
      std::printf("value %d is %g\n", i, values[i]);
      return 1;
    }
  }
  return 0;
}
