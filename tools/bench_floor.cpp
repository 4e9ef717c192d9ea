#include "bench_inspect.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/record_function.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <map>
#include <mutex>

namespace wf {
namespace {

using Stack = std::vector<c10::IValue>;

// The operators in which products end, with the index of their left factor.
const std::map<std::string, size_t>& products() {
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

struct Call {
  c10::OperatorHandle op;
  Stack inputs;
  size_t left;
};

// Tensors of the shapes and strides of others. Calls that take the same get the same one, so that
// all of them fit into memory.
class Stand {
 public:
  c10::IValue in_for(const c10::IValue& value) {
    if (!value.isTensor() || !value.toTensor().defined()) return value;
    const auto& t = value.toTensor();
    auto& own = tensors_[wf::str(t.sizes(), t.strides(), t.scalar_type())];
    if (!own.defined()) {
      own = at::empty_strided(t.sizes(), t.strides(), t.options()).fill_(0.01);
    }
    return own;
  }

 private:
  std::map<std::string, at::Tensor> tensors_;
};

std::mutex calls_mutex;
std::vector<Call>* calls = nullptr;
Stand* stand = nullptr;

std::unique_ptr<at::ObserverContext> note(const at::RecordFunction& function) {
  const auto found = products().find(function.name());
  const auto name = function.operator_name();
  if (found == products().end() || !name) return nullptr;
  const std::lock_guard lock(calls_mutex);
  Call call{c10::Dispatcher::singleton().findSchemaOrThrow(name->name.c_str(),
                                                           name->overload_name.c_str()),
            {},
            found->second};
  for (const auto& value : function.inputs()) call.inputs.push_back(stand->in_for(value));
  calls->push_back(std::move(call));
  return nullptr;
}

// The multiplications and additions of a call, whose (first) result is given.
double flop(const Call& call, const at::Tensor& result) {
  const auto& left = call.inputs[call.left].toTensor();
  const std::string name = call.op.operator_name().name;
  if (name == "aten::convolution" || name == "aten::convolution_backward") {
    // The left one is the weight; both gradients cost what the result costs.
    const auto& big = name == "aten::convolution" ? result : call.inputs[0].toTensor();
    return 2.0 * big.numel() * (left.numel() / left.size(0));
  }
  return 2.0 * result.numel() * left.size(-1);
}

}  // namespace

Floor measure_floor(const BenchOptions& o, const std::function<void()>& step) {
  std::vector<Call> noted;
  Stand own;
  calls = &noted;
  stand = &own;
  auto callback = at::RecordFunctionCallback(note);
  callback.needsInputs(true).scopes(
      {at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION});
  const auto handle = at::addGlobalCallback(callback);
  step();
  synchronize(o.torch_device());
  at::removeCallback(handle);

  const c10::InferenceMode inference;
  Floor floor;
  const auto repeat = [&] {
    floor.gflop = 0;
    for (const auto& call : noted) {
      Stack stack = call.inputs;
      call.op.callBoxed(stack);
      for (const auto& result : stack) {
        if (!result.isTensor() || !result.toTensor().defined()) continue;
        floor.gflop += 1e-9 * flop(call, result.toTensor());
        break;
      }
    }
  };
  floor.calls = static_cast<int64_t>(noted.size());
  floor.seconds = time_steps(o, repeat).best;
  return floor;
}

}  // namespace wf
