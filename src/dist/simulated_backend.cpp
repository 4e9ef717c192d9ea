#include "dist/simulated_backend.h"

#include <utility>
#include <vector>

namespace wf {
namespace {

// A collective that has ended, with its tensors as result.
class EndedWork : public c10d::Work {
 public:
  explicit EndedWork(const std::vector<at::Tensor>& tensors) : tensors_(tensors) {
    std::vector<c10::Device> devices;
    if (!tensors.empty() && tensors[0].is_cuda()) devices.push_back(tensors[0].device());
    future_ = c10::make_intrusive<c10::ivalue::Future>(c10::ListType::ofTensors(), devices);
    future_->markCompleted(c10::IValue(tensors));
  }
  bool isCompleted() override { return true; }
  bool isSuccess() const override { return true; }
  bool wait(std::chrono::milliseconds) override { return true; }
  void synchronize() override {}
  std::vector<at::Tensor> result() override { return tensors_; }
  c10::intrusive_ptr<c10::ivalue::Future> getFuture() override { return future_; }

 private:
  std::vector<at::Tensor> tensors_;
  c10::intrusive_ptr<c10::ivalue::Future> future_;
};

class SimulatedBackend : public c10d::Backend {
 public:
  SimulatedBackend(const LaunchEnv& env, std::shared_ptr<Traffic> traffic)
      : Backend(env.rank, env.world), traffic_(std::move(traffic)) {}

  const std::string getBackendName() const override { return "simulated"; }

  c10::intrusive_ptr<c10d::Work> broadcast(std::vector<at::Tensor>& tensors,
                                           const c10d::BroadcastOptions&) override {
    return count("broadcast", tensors);
  }
  c10::intrusive_ptr<c10d::Work> allreduce(std::vector<at::Tensor>& tensors,
                                           const c10d::AllreduceOptions& options) override {
    if (options.reduceOp == c10d::ReduceOp::SUM) {
      const at::NoGradGuard no_grad;
      for (auto& tensor : tensors) tensor.mul_(getSize());
    }
    return count("all-reduce", tensors);
  }

 private:
  c10::intrusive_ptr<c10d::Work> count(const char* name, const std::vector<at::Tensor>& tensors) {
    auto& sum = (*traffic_)[name];
    ++sum.calls;
    for (const auto& tensor : tensors) sum.bytes += static_cast<int64_t>(tensor.nbytes());
    return c10::make_intrusive<EndedWork>(tensors);
  }

  std::shared_ptr<Traffic> traffic_;
};

}  // namespace

c10::intrusive_ptr<c10d::Backend> make_simulated(const LaunchEnv& env,
                                                 std::shared_ptr<Traffic> traffic) {
  return c10::make_intrusive<SimulatedBackend>(env, std::move(traffic));
}

}  // namespace wf
