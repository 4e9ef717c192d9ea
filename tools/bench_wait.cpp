#include "weightformer/models/model.h"
#include "weightformer/optim/optimizer.h"

#include "bench_data.h"
#include "core/stopwatch.h"
#include "engine/classification/build.h"

#include <torch/types.h>

namespace wf {

double share_of_waiting(const BenchOptions& o, std::shared_ptr<const Dataset> images) {
  const auto device = o.torch_device();
  const auto model = create_classifier(o.model);
  model->to(device);
  model->train();
  auto sized = o;
  sized.size = o.size ? o.size : model->image_size();
  sized.data_batch = o.batch;
  const auto loader = bench_loader(sized, std::move(images),
                                   build_train_transform(bench_config(sized, true)), true);
  const auto optimizer = make_optimizer({}, param_groups(*model, 0.01));
  double waited = 0, seconds = 0;
  int64_t epoch = 0;
  Batch batch;
  loader->start(epoch);
  for (int64_t step = 0; step < o.warmup + o.steps; ++step) {
    const Stopwatch begin;
    while (!loader->next(batch)) loader->start(++epoch);
    const double wait = begin.seconds();
    optimizer->zero_grad();
    const auto logits = model->forward(batch.inputs.to(device)).to(torch::kFloat);
    at::cross_entropy_loss(logits, batch.labels.to(device)).backward();
    optimizer->step(1e-4);
    synchronize(device);
    if (step < o.warmup) continue;
    waited += wait;
    seconds += begin.seconds();
  }
  return waited / seconds;
}

}  // namespace wf
