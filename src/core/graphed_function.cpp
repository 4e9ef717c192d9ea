#include "weightformer/core/graphed_function.h"

#include "core/device_graph.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

namespace wf {
namespace {

// Calls with new shapes before they are recorded: libraries choose their algorithms and allocate
// their memory in them.
constexpr int64_t kWarmUp = 2;

bool same_shapes(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const at::Tensor& x, const at::Tensor& y) {
                      return x.sizes() == y.sizes() && x.scalar_type() == y.scalar_type() &&
                             x.device() == y.device();
                    });
}

bool needs_gradients(const std::vector<at::Tensor>& inputs) {
  return at::GradMode::is_enabled() &&
         std::any_of(inputs.begin(), inputs.end(),
                     [](const at::Tensor& t) { return t.requires_grad(); });
}

}  // namespace

struct GraphedFunction::Recorded {
  Tensors inputs, outputs;
  std::unique_ptr<DeviceGraph> graph;
  int64_t calls = 0;
  bool done = false;
};

GraphedFunction::GraphedFunction(Function function, GraphedOptions options)
    : function_(std::move(function)), options_(std::move(options)) {}
GraphedFunction::~GraphedFunction() = default;

int64_t GraphedFunction::graphs() const {
  return std::count_if(recorded_.begin(), recorded_.end(), [](const auto& r) { return r->done; });
}

void GraphedFunction::forget() { recorded_.clear(); }

// What belongs to the shapes of `inputs`, or null where there are no graphs or too many.
GraphedFunction::Recorded* GraphedFunction::find(const Tensors& inputs) {
  for (const auto& one : recorded_) {
    if (same_shapes(one->inputs, inputs)) return one.get();
  }
  if (inputs.empty() || static_cast<int64_t>(recorded_.size()) == kMostGraphs) return nullptr;
  auto graph = make_device_graph(inputs[0].device());
  if (!graph) return nullptr;
  auto next = std::make_unique<Recorded>();
  next->graph = std::move(graph);
  // Tensors made in inference mode could not be written outside it.
  const c10::InferenceMode no_inference(false);
  for (const auto& input : inputs) {
    next->inputs.push_back(at::empty_like(input, input.options(), at::MemoryFormat::Contiguous));
  }
  recorded_.push_back(std::move(next));
  return recorded_.back().get();
}

GraphedFunction::Tensors GraphedFunction::operator()(const Tensors& inputs) {
  auto* one = needs_gradients(inputs) ? nullptr : find(inputs);
  if (!one || ++one->calls <= kWarmUp) return function_(inputs);
  {
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < inputs.size(); ++i) {
      one->inputs[i].copy_(inputs[i], /*non_blocking=*/true);
    }
  }
  const at::AutoGradMode gradients(options_.trains);
  if (!one->done) {
    one->graph->record([this, one] { one->outputs = function_(one->inputs); }, options_.generators);
    one->done = true;
  }
  one->graph->replay();
  Tensors out;
  for (const auto& output : one->outputs) out.push_back(output.clone());
  return out;
}

}  // namespace wf
