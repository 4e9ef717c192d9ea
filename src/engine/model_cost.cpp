#include "engine/model_cost.h"

#include "weightformer/core/check.h"

#include "engine/eval_mode.h"

#include <ATen/Context.h>
#include <ATen/record_function.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <map>
#include <vector>

namespace wf {
namespace {

using Inputs = c10::ArrayRef<const c10::IValue>;

c10::IntArrayRef shape(const Inputs& inputs, size_t i) { return inputs[i].toTensor().sizes(); }

// [..., M, K] x [..., K, N]
int64_t product(const Inputs& inputs, size_t left) {
  return inputs[left].toTensor().numel() * shape(inputs, left + 1).back();
}

int64_t convolution(const Inputs& inputs) {
  const auto x = shape(inputs, 0), kernel = shape(inputs, 1);
  // One number stands for all dimensions.
  const auto of = [](const std::vector<int64_t>& list, size_t i) {
    return list[std::min(i, list.size() - 1)];
  };
  const auto stride = inputs[3].toIntVector(), padding = inputs[4].toIntVector();
  const auto dilation = inputs[5].toIntVector();
  int64_t macs = x[0] * inputs[1].toTensor().numel();
  for (size_t i = 0; i + 2 < x.size(); ++i) {
    const int64_t reach = of(dilation, i) * (kernel[i + 2] - 1) + 1;
    macs *= (x[i + 2] + 2 * of(padding, i) - reach) / of(stride, i) + 1;
  }
  return macs;
}

// oneDNN's linear layers, which nn/fused_linear.cpp and ops/gemm.cpp call: (x, weight, bias …), and
// (x, residual, weight, bias …).
int64_t fused_linear(const Inputs& inputs) {
  const bool second = inputs[2].isTensor() && inputs[2].toTensor().dim() == 2;
  return inputs[0].toTensor().numel() * shape(inputs, second ? 2 : 1)[0];
}

using Count = int64_t (*)(const Inputs&);

// The operators in which the others end, without gradients.
const std::map<std::string, Count>& counts() {
  static const auto first = [](const Inputs& i) { return product(i, 0); };
  static const auto second = [](const Inputs& i) { return product(i, 1); };
  static const std::map<std::string, Count> table{
      {"aten::mm", first},
      {"aten::bmm", first},
      {"aten::addmm", second},
      {"aten::addmm_", second},
      {"aten::baddbmm", second},
      {"aten::baddbmm_", second},
      {"aten::convolution", convolution},
      {"mkldnn::_linear_pointwise", fused_linear},
      {"wf_internal::gemm_", second},
      // 3 x 3 taps for each token and channel
      {"wf::dynamic_dwconv", [](const Inputs& i) { return 9 * i[0].toTensor().numel(); }},
      // gram [B, R, R] x right [B, R, D]
      {"wf::column_gain", first},
  };
  return table;
}

int64_t parameter_count(const torch::nn::Module& model) {
  int64_t count = 0;
  for (const auto& parameter : model.parameters()) {
    if (parameter.requires_grad()) count += parameter.numel();
  }
  return count;
}

thread_local int64_t macs_of_thread = 0;

std::unique_ptr<at::ObserverContext> count_op(const at::RecordFunction& op) {
  const auto count = counts().find(op.name());
  if (count != counts().end()) macs_of_thread += count->second(op.inputs());
  return nullptr;
}

std::string with_commas(int64_t number) {
  auto text = std::to_string(number);
  for (auto at = static_cast<int64_t>(text.size()) - 3; at > 0; at -= 3) {
    text.insert(static_cast<size_t>(at), ",");
  }
  return text;
}

}  // namespace

int64_t count_macs(const std::function<void()>& forward) {
  macs_of_thread = 0;
  auto callback = at::RecordFunctionCallback(count_op);
  callback.needsInputs(true).scopes({at::RecordScope::FUNCTION});
  const auto handle = at::addThreadLocalCallback(callback);
  const auto remove = [&] { at::removeCallback(handle); };
  try {
    const c10::InferenceMode inference;
    forward();
  } catch (...) {
    remove();
    throw;
  }
  remove();
  return macs_of_thread;
}

std::string ModelCost::show() const {
  const auto count = with_commas(parameters) + " parameters";
  return macs == 0
             ? count
             : fmt::format("{}, {:.2f} GMAC per sample", count, 1e-9 * static_cast<double>(macs));
}

ModelCost model_cost(Model& model, const std::function<void()>& forward) {
  const EvalMode mode(model);
  return {parameter_count(model), count_macs(forward)};
}

void require_memory_for_depth(int64_t depth,
                              const std::function<std::shared_ptr<Model>(int64_t)>& make) {
  // Multiples of three, the period in which classifiers have a dynamic block.
  constexpr int64_t kFew = 3, kMore = 9, kUnsuspicious = 100;
  if (depth <= kUnsuspicious) return;
  auto generator = at::globalContext().defaultGenerator(c10::kCPU);
  const auto state = generator.get_state();
  const auto few = parameter_count(*make(kFew)), more = parameter_count(*make(kMore));
  generator.set_state(state);
  const double block = static_cast<double>(more - few) / (kMore - kFew);
  const double weights = 4 * block * static_cast<double>(depth);
  const double memory = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) *
                        static_cast<double>(::sysconf(_SC_PAGE_SIZE));
  constexpr double kGiB = 1 << 30;
  WF_CHECK(weights < memory, "MODEL.DEPTH ", depth, ": its weights take ",
           fmt::format("{:.0f}", weights / kGiB), " GiB, and this machine has ",
           fmt::format("{:.0f}", memory / kGiB), " GiB of memory: lower MODEL.DEPTH or MODEL.DIM");
}

}  // namespace wf
