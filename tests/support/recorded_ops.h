// The operators that some work calls.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/record_function.h>

#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace wf::testing {

struct RecordedOp {
  std::string name;
  std::vector<at::Tensor> inputs, outputs;
};

/// `work`'s operators in all threads, in the order in which they ended.
inline std::vector<RecordedOp> recorded_ops(const std::function<void()>& work) {
  static std::mutex mutex;
  static std::vector<RecordedOp>* ops;
  std::vector<RecordedOp> found;
  ops = &found;
  static const auto tensors_of = [](const auto& values) {
    std::vector<at::Tensor> out;
    for (const c10::IValue& value : values) {
      if (value.isTensor()) out.push_back(value.toTensor());
      if (!value.isTensorList()) continue;
      for (const at::Tensor& t : value.toTensorVector()) out.push_back(t);
    }
    return out;
  };
  // The arguments are gone when the operator ends.
  struct Inputs : at::ObserverContext {
    std::vector<at::Tensor> tensors;
  };
  auto callback = at::RecordFunctionCallback(
      [](const at::RecordFunction& f) -> std::unique_ptr<at::ObserverContext> {
        auto inputs = std::make_unique<Inputs>();
        inputs->tensors = tensors_of(f.inputs());
        return inputs;
      },
      [](const at::RecordFunction& f, at::ObserverContext* inputs) {
        const std::lock_guard lock(mutex);
        ops->push_back({f.name(), static_cast<Inputs*>(inputs)->tensors, tensors_of(f.outputs())});
      });
  callback.needsInputs(true).needsOutputs(true).scopes({at::RecordScope::FUNCTION});
  const auto handle = at::addGlobalCallback(callback);
  try {
    work();
  } catch (...) {
    at::removeCallback(handle);
    throw;
  }
  at::removeCallback(handle);
  return found;
}

}  // namespace wf::testing
