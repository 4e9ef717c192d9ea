#include "bench_inspect.h"

#include <ATen/autocast_mode.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/record_function.h>
#include <torch/types.h>

#include <mutex>

namespace wf {
namespace {

struct Product {
  c10::OperatorHandle op;
  std::vector<c10::IValue> inputs;
};
struct Notes {
  c10::DeviceType device;
  std::mutex mutex;
  std::vector<Product> products;
  std::map<std::string, at::Tensor> tensors;
};
Notes* notes = nullptr;

// The place of an operator's left factor, or of its kernel; -1: not a product.
int left_factor(const std::string& name) {
  const auto among = [&](std::initializer_list<const char*> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (among({"aten::mm", "aten::bmm", "mkldnn::_linear_pointwise"})) return 0;
  if (name.rfind("aten::addmm", 0) == 0 || name.rfind("aten::baddbmm", 0) == 0) return 1;
  if (name == "wf_internal::gemm_") return 1;
  return name == "aten::convolution" ? 1 : name == "aten::convolution_backward" ? 2 : -1;
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
  const auto name = function.operator_name();
  if (left_factor(function.name()) < 0 || !name) return nullptr;
  // Autocast casts, and calls the operator again.
  if (at::autocast::is_autocast_enabled(notes->device) &&
      !c10::impl::tls_is_dispatch_keyset_excluded(c10::autocast_dispatch_keyset)) {
    return nullptr;
  }
  const std::lock_guard lock(notes->mutex);
  Product product{*c10::Dispatcher::singleton().findOp(*name), {}};
  for (const auto& value : function.inputs()) product.inputs.push_back(stand_in(value));
  notes->products.push_back(std::move(product));
  return nullptr;
}

}  // namespace

double product_flop(const std::string& name, const std::vector<c10::IValue>& inputs,
                    const at::Tensor& result) {
  const int place = left_factor(name);
  if (place < 0) return 0;
  const auto& left = inputs[static_cast<size_t>(place)].toTensor();
  if (name.rfind("aten::convolution", 0) != 0) return 2.0 * result.numel() * left.size(-1);
  // Of the backward pass only the kernel's gradient: images need none.
  const auto& y = name == "aten::convolution" ? result : inputs[0].toTensor();
  return 2.0 * y.numel() * (left.numel() / left.size(0));
}

Floor measure_floor(const BenchOptions& o, const std::function<void()>& step) {
  Notes noted{o.torch_device().type(), {}, {}, {}};
  notes = &noted;
  auto callback = at::RecordFunctionCallback(note_product);
  callback.needsInputs(true).scopes({at::RecordScope::FUNCTION});
  const auto handle = at::addGlobalCallback(callback);
  step();
  synchronize(o.torch_device());
  at::removeCallback(handle);

  const at::NoGradGuard no_grad;
  Floor floor;
  const auto repeat = [&] {
    floor.gflop = 0;
    for (const auto& product : noted.products) {
      auto results = product.inputs;
      product.op.callBoxed(results);
      const auto result = results[0].isTensor() ? results[0].toTensor() : at::Tensor();
      floor.gflop += 1e-9 * product_flop(product.op.operator_name().name, product.inputs, result);
    }
  };
  floor.calls = static_cast<int64_t>(noted.products.size());
  floor.seconds = time_steps(o, repeat).best;
  return floor;
}

}  // namespace wf
