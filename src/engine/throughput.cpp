#include "engine/throughput.h"

#include "core/stopwatch.h"

#include <torch/cuda.h>
#include <torch/types.h>

namespace wf {

double samples_per_second(const std::function<void()>& forward, int64_t batch, c10::Device device,
                          const std::optional<Precision>& amp, int warmup, int timed) {
  const auto run = [&](int times) {
    for (int i = 0; i < times; ++i) {
      const MixedPrecision mixed(amp, device.type());
      forward();
    }
    if (device.is_cuda()) torch::cuda::synchronize(device.index());
  };
  run(warmup);
  const Stopwatch watch;
  run(timed);
  return static_cast<double>(timed * batch) / watch.seconds();
}

}  // namespace wf
