#pragma once

#include <torch/nn/module.h>

namespace wf {

/// Sets a module to evaluation mode during its lifetime, and restores the mode.
class EvalMode {
 public:
  explicit EvalMode(torch::nn::Module& module) : module_(module), before_(module.is_training()) {
    module_.eval();
  }
  ~EvalMode() { module_.train(before_); }
  EvalMode(const EvalMode&) = delete;
  EvalMode& operator=(const EvalMode&) = delete;

 private:
  torch::nn::Module& module_;
  bool before_;
};

}  // namespace wf
