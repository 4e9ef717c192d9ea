#include "bench_inspect.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/record_function.h>
#include <torch/types.h>

#include <mutex>
#include <set>

namespace wf {
namespace {

struct OpContext : at::ObserverContext {
  std::string name;
  OpTraffic op;
  std::vector<c10::IValue> inputs;  // which are gone when the operator ends
  bool counts = false;
  OpContext* outer = nullptr;
};

// The innermost operator of the thread, and the one that counts for those it calls.
thread_local OpContext* innermost = nullptr;
std::mutex traffic_mutex;
std::map<std::string, OpTraffic>* traffic = nullptr;

// Views and new memory move nothing; composite operators are those that they call.
bool moves(const at::RecordFunction& function) {
  const auto name = function.operator_name();
  const auto op = name ? c10::Dispatcher::singleton().findOp(*name) : std::nullopt;
  if (!op || op->hasKernelForDispatchKey(c10::DispatchKey::CompositeImplicitAutograd)) return false;
  if (name->name == "wf::dynamic_linear" || name->name == "wf::dynamic_linear_backward") {
    return false;  // a sequence of products
  }
  static const std::set<std::string> none{"aten::empty", "aten::empty_like", "aten::empty_strided",
                                          "aten::new_empty_strided", "aten::resize_"};
  if (none.count(name->name)) return false;
  for (const auto& result : op->schema().returns()) {
    if (result.alias_info() && !result.alias_info()->isWrite()) return false;
  }
  return true;
}

std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& function) {
  auto context = std::make_unique<OpContext>();
  context->name = function.name();
  context->outer = innermost;
  // The autograd kernel of an operator of ours calls the operator again.
  for (auto* o = innermost; o; o = o->outer) {
    if (o->name == context->name) o->counts = false;
  }
  bool inside = false;  // PyTorch's kernels call operators that are part of them
  for (auto* o = innermost; o; o = o->outer) inside |= o->counts && o->name.rfind("wf::", 0) != 0;
  context->counts = !inside && moves(function);
  for (const auto& value : function.inputs()) context->inputs.push_back(value);
  for (const auto& value : context->inputs) context->op.bytes += tensor_bytes(value);
  innermost = context.get();
  return context;
}

void end(const at::RecordFunction& function, at::ObserverContext* observer) {
  auto* context = static_cast<OpContext*>(observer);
  innermost = context->outer;
  if (!context->counts) return;
  finish_traffic(function, context->inputs, context->op);
  const std::lock_guard lock(traffic_mutex);
  (*traffic)[context->name] += context->op;
}

}  // namespace

std::map<std::string, OpTraffic> count_traffic(c10::Device device,
                                               const std::function<void()>& step) {
  std::map<std::string, OpTraffic> total;
  traffic = &total;
  auto callback = at::RecordFunctionCallback(begin, end);
  callback.needsInputs(true).needsOutputs(true).scopes({at::RecordScope::FUNCTION});
  const auto handle = at::addGlobalCallback(callback);
  step();
  synchronize(device);
  at::removeCallback(handle);
  return total;
}

}  // namespace wf
