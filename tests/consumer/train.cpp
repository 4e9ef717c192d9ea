// A program with the trainer's library: a model is trained for some steps by its optimizer, and the
// result is shown as a metric.

#include <ATen/ops/cross_entropy_loss.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <weightformer/engine/metrics.h>
#include <weightformer/engine/trainer.h>
#include <weightformer/models/model.h>
#include <weightformer/optim/optimizer.h>

#include <iostream>

int main() {
  static const wf::MetricSpec kLoss{"loss", "loss", "{:.3f}", wf::Better::lower};
  torch::manual_seed(0);
  const auto model = wf::create_classifier("wfm_nano");
  const auto optimizer = wf::make_optimizer({}, wf::param_groups(*model, 0.05));
  const auto images = torch::randn({4, 3, 64, 64});
  const auto labels = torch::tensor({0, 1, 2, 3}, torch::kLong);
  wf::Metrics metrics;
  double before = 0, after = 0;
  for (int step = 0; step < 5; ++step) {
    const auto loss = at::cross_entropy_loss(model->forward(images), labels);
    (step == 0 ? before : after) = loss.item<double>();
    optimizer->zero_grad();
    loss.backward();
    optimizer->step(1e-3);
  }
  metrics.add(kLoss, after);
  std::cout << (after < before && wf::TrainerOptions().epochs > 0 ? "trained, " : "not trained, ")
            << metrics.show() << "\n";
}
