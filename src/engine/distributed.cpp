#include "engine/distributed.h"

#include "runtime/stop_signal.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <cstring>
#include <map>
#include <type_traits>

namespace wf {
namespace {

void broadcast_all(ProcessGroup& group, const std::map<std::string, at::Tensor>& tensors) {
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : tensors) {
    auto flat = tensor.contiguous();
    group.broadcast(flat);
    if (!flat.is_same(tensor)) at::Tensor(tensor).copy_(flat);
  }
}

}  // namespace

void Distributed::broadcast(TrainState& state) {
  if (!group_) return;
  parallel_ = std::make_unique<DataParallel>(*state.model, group_, options_);
  exchange_ = std::make_unique<StepExchange>(group_);
  broadcast_all(*group_, state.optimizer->state());
  if (state.scaler) broadcast_all(*group_, state.scaler->state());
  for (const auto& ema : state.emas) broadcast_all(*group_, ema->state());
  broadcast_all(*group_, state.task_state);
  static_assert(std::is_trivially_copyable_v<Progress>, "broadcast as bytes");
  auto bytes = torch::empty({sizeof(Progress)}, torch::kByte);
  std::memcpy(bytes.data_ptr(), &state.progress, sizeof(Progress));
  group_->broadcast(bytes);
  std::memcpy(&state.progress, bytes.data_ptr(), sizeof(Progress));
}

void Distributed::begin_step() {
  if (!group_) return;
  since_begin_.restart();
  exchange_->begin(stop_requested(), own_seconds_);
}

void Distributed::backward(const at::Tensor& loss, bool last) {
  if (!group_) return loss.backward();
  const double before = since_begin_.seconds();
  parallel_->backward(loss, last);
  if (last) own_seconds_ = before + parallel_->own_backward_seconds();
}

void Distributed::end_step() {
  if (!group_) return;
  const auto answer = exchange_->finish();
  stop_ = answer.stop;
  if (!group_->simulated()) watch_.add(answer.seconds);
}

bool Distributed::stop() const { return group_ && !group_->simulated() ? stop_ : stop_requested(); }

void Distributed::sum(at::Tensor& tensor) {
  if (group_) group_->sum(tensor);
}

double Distributed::sum(double value) {
  if (!group_) return value;
  auto tensor = torch::full({1}, value, torch::kDouble);
  group_->sum(tensor);
  return tensor.item<double>();
}

void Distributed::require_equal(const std::string& what, const std::string& text,
                                const std::string& advice) {
  if (group_) group_->require_equal(what, text, advice);
}

void Distributed::on_root(const std::string& what, const std::function<void()>& work) {
  if (!group_) return work();
  group_->on_root(what, work);
}

}  // namespace wf
