#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

namespace wf {

/// Short copies of the weights that matrix products take in mixed precision. Without them each
/// product casts its weight; with them all are cast in one pass, and only after they have changed.
/// Gradients belong to the weights themselves and have their dtype.
class ShortWeights {
 public:
  /// While it exists, products in this thread use the copies, brought up to date at its start:
  /// those whose weights have been written since, or all.
  class Scope {
   public:
    explicit Scope(ShortWeights* weights, bool all = false);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    ShortWeights* before_;
  };

  /// `weight` in `type`: its copy if this thread has a scope and `weight` is a parameter that is
  /// trained, otherwise a cast.
  static at::Tensor cast(const at::Tensor& weight, at::ScalarType type);

  int64_t size() const { return static_cast<int64_t>(masters_.size()); }

 private:
  void refresh(bool all);
  at::Tensor copy_of(const at::Tensor& weight, at::ScalarType type);

  std::vector<at::Tensor> masters_, copies_;
  std::vector<std::pair<int64_t, const void*>> states_;  // version and memory of what was copied
  std::unordered_map<const c10::TensorImpl*, size_t> places_;
};

}  // namespace wf
