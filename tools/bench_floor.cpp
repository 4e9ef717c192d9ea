#include "bench_inspect.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/record_function.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <mutex>

namespace wf {
namespace {

struct Product {
  c10::OperatorHandle op;
  std::vector<c10::IValue> inputs;
  size_t left;
};
struct Notes {
  std::mutex mutex;
  std::vector<Product> products;
  std::map<std::string, at::Tensor> tensors;
};
Notes* notes = nullptr;

// The operators in which products end, with the index of their left factor, or of the kernel.
const std::map<std::string, size_t>& left_factors() {
  static const std::map<std::string, size_t> all{{"aten::mm", 0},
                                                 {"aten::bmm", 0},
                                                 {"aten::addmm", 1},
                                                 {"aten::addmm_", 1},
                                                 {"aten::baddbmm", 1},
                                                 {"aten::baddbmm_", 1},
                                                 {"aten::convolution", 1},
                                                 {"aten::convolution_backward", 2},
                                                 {"mkldnn::_linear_pointwise", 0}};
  return all;
}

// A tensor of the same shape and strides. Those that agree in them share one, so that all of them
// fit into memory.
c10::IValue stand_in(const c10::IValue& value) {
  if (!value.isTensor() || !value.toTensor().defined()) return value;
  const auto& t = value.toTensor();
  auto& own = notes->tensors[wf::str(t.sizes(), t.strides(), t.scalar_type())];
  if (!own.defined()) own = at::empty_strided(t.sizes(), t.strides(), t.options()).fill_(0.01);
  return own;
}

std::unique_ptr<at::ObserverContext> note_product(const at::RecordFunction& function) {
  const auto found = left_factors().find(function.name());
  const auto name = function.operator_name();
  if (found == left_factors().end() || !name) return nullptr;
  const std::lock_guard lock(notes->mutex);
  Product product{*c10::Dispatcher::singleton().findOp(*name), {}, found->second};
  for (const auto& value : function.inputs()) product.inputs.push_back(stand_in(value));
  notes->products.push_back(std::move(product));
  return nullptr;
}

double flop(const Product& product, const at::Tensor& result) {
  const auto& left = product.inputs[product.left].toTensor();
  const auto& name = product.op.operator_name().name;
  if (name.rfind("aten::convolution", 0) != 0) return 2.0 * result.numel() * left.size(-1);
  // Of the backward pass only the kernel's gradient: images need none.
  const auto& y = name == "aten::convolution" ? result : product.inputs[0].toTensor();
  return 2.0 * y.numel() * (left.numel() / left.size(0));
}

}  // namespace

Floor measure_floor(const BenchOptions& o, const std::function<void()>& step) {
  Notes noted;
  notes = &noted;
  auto callback = at::RecordFunctionCallback(note_product);
  callback.needsInputs(true).scopes({at::RecordScope::FUNCTION});
  const auto handle = at::addGlobalCallback(callback);
  step();
  synchronize(o.torch_device());
  at::removeCallback(handle);

  const torch::NoGradGuard no_grad;
  Floor floor;
  const auto repeat = [&] {
    floor.gflop = 0;
    for (const auto& product : noted.products) {
      auto stack = product.inputs;
      product.op.callBoxed(stack);
      for (const auto& result : stack) {
        if (!result.isTensor() || !result.toTensor().defined()) continue;
        floor.gflop += 1e-9 * flop(product, result.toTensor());
        break;
      }
    }
  };
  floor.calls = static_cast<int64_t>(noted.products.size());
  floor.seconds = time_steps(o, repeat).best;
  return floor;
}

}  // namespace wf
