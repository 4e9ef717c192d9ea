// Data-parallel training: replicas of a model, whose gradients are averaged.
#pragma once

#include "dist/process_group.h"

#include <ATen/core/Tensor.h>

#include <memory>

namespace c10d {
class Reducer;
}
namespace torch::nn {
class Module;
}

namespace wf {

struct DataParallelOptions {
  int64_t bucket_bytes = 0;  ///< bucket size (of the first: 1 MiB); 0: by
                             ///< the size of the model, see default_bucket_bytes()
  bool find_unused = false;  ///< allow parameters that the loss does not reach
  bool compress = false;     ///< reduce gradients as bfloat16: half the bytes, rounded
};

/// The default bucket size: an eighth of the gradients, so that most are being reduced before the
/// backward pass ends; from 1 to 25 MiB, PyTorch's default.
int64_t default_bucket_bytes(int64_t gradient_bytes);

/// Averages the gradients of `model` over a group, bucket by bucket while the backward pass runs.
/// Source: Li et al. 2020, "PyTorch Distributed"; the engine is LibTorch's c10d::Reducer.
///
/// A step:
///
///     optimizer.zero_grad();
///     for all micro-batches: loss = f(model.forward(x)); parallel.backward(loss, last);
///     optimizer.step();
///
/// Gradients become views into the buckets. The order in which they are added up depends only on
/// the model and the options, not on timing or on the step, so runs are reproducible and resume
/// bit-identically on a CPU. Infinite and NaN gradients of one rank reach all ranks, so that all
/// skip the same steps.
class DataParallel {
 public:
  /// Checks that all ranks have the same parameters (names, shapes, types; throws wf::Error naming
  /// the first that differs), then copies rank 0's parameters and buffers to all.
  DataParallel(torch::nn::Module& model, std::shared_ptr<ProcessGroup> group,
               const DataParallelOptions& options = {});
  ~DataParallel();
  DataParallel(const DataParallel&) = delete;
  DataParallel& operator=(const DataParallel&) = delete;

  /// Adds the gradients of `loss`, a scalar, to the accumulated ones; with `last` the sums are then
  /// averaged over the ranks. Throws Error::kPeerLost when another process is lost meanwhile.
  void backward(const at::Tensor& loss, bool last = true);

  /// Seconds from the start of the last averaging backward() to this process's own last gradient,
  /// excluding the wait for other ranks. On a GPU: until the host had queued it.
  double own_backward_seconds() const;

  ProcessGroup& group() { return *group_; }

 private:
  std::shared_ptr<ProcessGroup> group_;
  std::unique_ptr<c10d::Reducer> reducer_;
};

}  // namespace wf
