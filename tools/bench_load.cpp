// Measures the time and memory of loading weights from a file into a module.

#include "weightformer/serialization/weights.h"

#include "bench.h"
#include "core/peak_memory.h"

#include <fmt/format.h>
#include <torch/nn/module.h>
#include <torch/types.h>

#include <iostream>
#include <map>

namespace wf {
namespace {

// A module with the parameters of a state dict, under their names.
struct Shell : torch::nn::Module {
  void add(const std::string& name, const at::Tensor& like) {
    const auto dot = name.find('.');
    if (dot == std::string::npos) {
      register_parameter(name, torch::zeros_like(like), like.is_floating_point());
      return;
    }
    auto& child = children[name.substr(0, dot)];
    if (!child) child = register_module(name.substr(0, dot), std::make_shared<Shell>());
    child->add(name.substr(dot + 1), like);
  }
  std::map<std::string, std::shared_ptr<Shell>> children;
};

}  // namespace

void bench_load(const BenchOptions& o) {
  Shell shell;
  double parameters = 0;
  const double idle = peak_memory_mib(c10::kCPU);
  for (const auto& [name, tensor] : read_weights(o.weights, {false, Checksums::never}).tensors) {
    shell.add(name, tensor);
    parameters += static_cast<double>(tensor.nbytes()) / (1 << 20);
  }
  load_weights(shell, o.weights);
  const double peak = peak_memory_mib(c10::kCPU) - idle;
  const auto timing = time_steps(o, [&] {
    const auto when = o.unverified ? Checksums::never : Checksums::while_loading;
    load_weights(shell, read_weights(o.weights, {false, when}), o.weights);
  });
  std::cout << fmt::format(
                   R"({{"who": "weightformer", "load": "{}", "seconds_best": {:.4f}, )"
                   R"("seconds_median": {:.4f}, "parameters_mib": {:.1f}, "peak_mib": {:.1f}}})",
                   o.weights, timing.best, timing.median, parameters, peak)
            << std::endl;
}

}  // namespace wf
