#include "bench_inspect.h"

#include <torch/csrc/autograd/profiler_kineto.h>

#include <fstream>

namespace wf {

void trace_step(const std::string& path, c10::Device device, const std::function<void()>& step) {
  namespace profiler = torch::autograd::profiler;
  using torch::profiler::impl::ActivityType;
  WF_CHECK(std::ofstream(path).good(), "--trace: ", path, " cannot be written");
  const torch::profiler::impl::ProfilerConfig config(torch::profiler::impl::ProfilerState::KINETO,
                                                     /*report_input_shapes=*/true);
  std::set<ActivityType> activities{ActivityType::CPU};
  if (device.is_cuda()) activities.insert(ActivityType::CUDA);
  synchronize(device);
  profiler::prepareProfiler(config, activities);
  profiler::enableProfiler(config, activities);
  step();
  synchronize(device);
  profiler::disableProfiler()->save(path);
}

}  // namespace wf
