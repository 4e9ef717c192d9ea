// CUDA graphs by PyTorch's, whose memory pool they share.

#include "core/device_graph.h"

#include <ATen/cuda/CUDAGeneratorImpl.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <exception>

namespace wf {
namespace {

class CudaGraph : public DeviceGraph {
 public:
  explicit CudaGraph(c10::Device device) : device_(device) {}

  void record(const std::function<void()>& work,
              const std::vector<at::Generator>& generators) override {
    const c10::cuda::CUDAGuard guard(device_);
    for (const auto& generator : generators) {
      graph_.register_generator_state(generator);
    }
    // The default stream cannot be captured; what it was given before must be complete.
    c10::cuda::device_synchronize();
    const auto stream = c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device_.index());
    const c10::cuda::CUDAStreamGuard on_stream(stream);
    // Loader threads may continue to allocate pinned memory: only this thread's calls are
    // restricted.
    graph_.capture_begin(/*pool=*/{0, 0}, cudaStreamCaptureModeThreadLocal);
    try {
      work();
    } catch (...) {
      try {
        graph_.capture_end();
      } catch (const std::exception&) {  // only that the capture failed
      }
      throw;
    }
    graph_.capture_end();
  }

  void replay() override {
    const c10::cuda::CUDAGuard guard(device_);
    graph_.replay();
  }

 private:
  c10::Device device_;
  at::cuda::CUDAGraph graph_;
};

const bool registered = [] {
  set_device_graphs(c10::kCUDA, [](c10::Device device) -> std::unique_ptr<DeviceGraph> {
    return std::make_unique<CudaGraph>(device);
  });
  return true;
}();

}  // namespace
}  // namespace wf
