#include "dist/data_parallel.h"

#include "weightformer/core/check.h"

#include <torch/csrc/distributed/c10d/comm.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>
#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <sstream>

namespace wf {
namespace {

constexpr int64_t kFirstBucket = 1 << 20;  // small, so that the all-reduce starts early

// The parameters that are trained, in about the order in which their gradients are computed.
std::vector<std::pair<std::string, at::Tensor>> backwards(const torch::nn::Module& model) {
  std::vector<std::pair<std::string, at::Tensor>> out;
  for (const auto& item : model.named_parameters()) {
    if (item.value().requires_grad()) out.emplace_back(item.key(), item.value());
  }
  std::reverse(out.begin(), out.end());
  return out;
}

std::string describe(const torch::nn::Module& model) {
  std::ostringstream out;
  const auto add = [&](const auto& items) {
    for (const auto& item : items) {
      out << item.key() << " " << item.value().sizes() << " " << item.value().dtype() << "\n";
    }
  };
  add(model.named_parameters());
  add(model.named_buffers());
  return out.str();
}

void broadcast_from_root(const torch::nn::Module& model, const ProcessGroup& group) {
  const torch::NoGradGuard no_grad;
  std::vector<at::Tensor> tensors;
  for (const auto& item : model.named_parameters()) tensors.push_back(item.value().detach());
  for (const auto& item : model.named_buffers()) tensors.push_back(item.value());
  // One call takes tensors of one type.
  std::stable_sort(tensors.begin(), tensors.end(),
                   [](const auto& a, const auto& b) { return a.scalar_type() < b.scalar_type(); });
  for (auto begin = tensors.begin(); begin != tensors.end();) {
    const auto end = std::find_if(begin, tensors.end(), [&](const auto& tensor) {
      return tensor.scalar_type() != begin->scalar_type();
    });
    const std::vector<at::Tensor> alike(begin, end);
    group.guarded("copying rank 0's weights",
                  [&] { c10d::broadcast_coalesced(group.native(), alike, 250 << 20, 0); });
    begin = end;
  }
}

// Half the bytes: averaged in bfloat16, returned in the type of the gradients.
class Bf16Compression : public c10d::CppCommHookInterface<c10::intrusive_ptr<c10d::ProcessGroup>> {
 public:
  using CppCommHookInterface::CppCommHookInterface;

  c10::intrusive_ptr<c10::ivalue::Future> runHook(c10d::GradBucket& bucket) override {
    const at::Tensor full = bucket.getBuffer();
    // Divided first: bfloat16 has the range for either, but a sum of many is rounded more coarsely.
    std::vector<at::Tensor> halved{(full / state_->getSize()).to(at::kBFloat16)};
    const auto work = state_->allreduce(halved);
    return work->getFuture()->then(
        [full, halved](c10::ivalue::Future& done) {
          done.value();  // rethrows an error of the all-reduce
          const torch::NoGradGuard no_grad;
          full.copy_(halved[0]);  // the gradients are views of this buffer
          return c10::IValue(full);
        },
        c10::TensorType::get());
  }
};

std::unique_ptr<c10d::Reducer> make_reducer(const torch::nn::Module& model,
                                            const ProcessGroup& group,
                                            const DataParallelOptions& options) {
  std::vector<at::Tensor> params;
  std::unordered_map<size_t, std::string> names;
  for (const auto& [name, param] : backwards(model)) {
    names.emplace(params.size(), name);
    params.push_back(param);
  }
  WF_CHECK(!params.empty(), "data-parallel training: no parameter needs a gradient");
  const std::vector<bool> sparse(params.size(), false);
  int64_t all = 0;
  for (const auto& param : params) all += static_cast<int64_t>(param.nbytes());
  const int64_t cap = options.bucket_bytes > 0 ? options.bucket_bytes : default_bucket_bytes(all);
  const auto bytes = static_cast<size_t>(cap);
  const auto buckets = std::get<0>(c10d::compute_bucket_assignment_by_size(
      params, {std::min<size_t>(kFirstBucket, bytes), bytes}, sparse));
  auto reducer = std::make_unique<c10d::Reducer>(
      params, buckets, group.native(), sparse, cap, options.find_unused,
      /*gradient_as_bucket_view=*/true, names, std::min(kFirstBucket, cap),
      /*skip_all_reduce_unused_params=*/false, /*use_python_reducer=*/false,
      /*bucket_bytes_cap_list=*/std::vector<int64_t>{});
  if (options.compress) {
    reducer->register_comm_hook(std::make_unique<Bf16Compression>(group.native()));
  }
  // The engine would reorder the buckets after its first step. Sums of three or more ranks depend
  // on the position of a gradient in its bucket, so a resumed run would differ in the last bits
  // from an uninterrupted one. Reordering now, in the given order, prevents that.
  reducer->push_rebuilt_params_for_all_indices();
  reducer->rebuild_buckets();
  return reducer;
}

}  // namespace

int64_t default_bucket_bytes(int64_t gradient_bytes) {
  return std::clamp<int64_t>(gradient_bytes / 8, 1 << 20, 25 << 20);
}

DataParallel::DataParallel(torch::nn::Module& model, std::shared_ptr<ProcessGroup> group,
                           const DataParallelOptions& options)
    : group_(std::move(group)) {
  group_->require_equal("model", describe(model));
  broadcast_from_root(model, *group_);
  reducer_ = group_->guarded("preparing the gradient buckets",
                             [&] { return make_reducer(model, *group_, options); });
}

DataParallel::~DataParallel() = default;

void DataParallel::backward(const at::Tensor& loss, bool last) {
  group_->guarded("averaging the gradients", [&] {
    if (last) {
      reducer_->prepare_for_forward();
      reducer_->prepare_for_backward({loss});
    }
    loss.backward();
  });
}

double DataParallel::own_backward_seconds() const {
  const auto stats = reducer_->get_backward_stats();
  const auto latest = std::max_element(stats.begin(), stats.end());
  return latest == stats.end() ? 0 : static_cast<double>(*latest) * 1e-9;
}

}  // namespace wf
