#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace wf {

class DeviceGraph;

/// What a GraphedFunction may do beside computing its results.
struct GraphedOptions {
  bool trains = false;                    ///< it computes gradients and updates weights in place
  std::vector<at::Generator> generators;  ///< that it draws from
};

/// A function of tensors, by default for inference, whose kernels are launched together as a CUDA
/// graph: small batches take less time than their launches one by one. The first calls for each set
/// of shapes and dtypes run the function and record it, later ones copy their inputs into the
/// memory of the recorded ones. Where there are no graphs (on a CPU), with gradients, and for more
/// than kMostGraphs sets of shapes, every call runs the function.
///
/// Each call runs the function once, also the one that records it, so that the function may be a
/// step of training. It must launch the same for the same shapes and read no results back. Memory
/// that it uses beside its inputs, such as weights, must keep its place: forget() after it has
/// changed. Not for calls from several threads at a time.
class GraphedFunction {
 public:
  using Tensors = std::vector<at::Tensor>;
  using Function = std::function<Tensors(const Tensors&)>;

  static constexpr int64_t kMostGraphs = 8;

  explicit GraphedFunction(Function function, GraphedOptions options = {});
  ~GraphedFunction();
  GraphedFunction(const GraphedFunction&) = delete;
  GraphedFunction& operator=(const GraphedFunction&) = delete;

  /// function(inputs), in memory of its own. All inputs are on one device.
  Tensors operator()(const Tensors& inputs);

  /// Number of recorded graphs.
  int64_t graphs() const;

  /// Forgets what was recorded.
  void forget();

 private:
  struct Recorded;
  Recorded* find(const Tensors& inputs);

  Function function_;
  GraphedOptions options_;
  std::vector<std::unique_ptr<Recorded>> recorded_;
};

}  // namespace wf
