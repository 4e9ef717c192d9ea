#include "engine/classification/evaluator.h"

#include "weightformer/core/check.h"

#include "core/stopwatch.h"
#include "data/device_batch.h"
#include "engine/eval_mode.h"
#include "runtime/progress_bar.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

namespace wf {
namespace {

// The sums of an evaluation, on the device: one synchronization at the end instead of one per
// batch.
class Sums {
 public:
  Sums(const EvaluateOptions& options, int64_t classes)
      : options_(options),
        sums_(torch::zeros({kCount}, torch::dtype(torch::kDouble).device(options.device))) {
    const auto counts = torch::dtype(torch::kLong).device(options.device);
    if (options.confusion) confusion_ = torch::zeros({classes, classes}, counts);
    if (options.real_labels) real_ = table(*options.real_labels).to(options.device);
  }

  // logits: [B, classes] float32.
  void add(const at::Tensor& logits, const Batch& batch) {
    const auto labels = batch.labels.to(options_.device, /*non_blocking=*/true);
    const auto readable = labels >= 0;
    const auto top = std::get<1>(logits.topk(std::min<int64_t>(5, logits.size(1)), 1));
    const auto first = top.select(1, 0), hits = top.eq(labels.unsqueeze(1));
    const auto number = [&](int64_t value) { return torch::full({}, value, sums_.options()); };
    std::vector<at::Tensor> now(kCount, number(0));
    now[kLoss] = at::cross_entropy_loss(logits, labels, {}, at::Reduction::Sum, -1);
    now[kTop1] = hits.slice(1, 0, 1).sum();
    now[kTop5] = hits.sum();
    now[kReadable] = readable.sum();
    now[kImages] = number(labels.size(0));
    at::Tensor indices;
    if (real_.defined() || options_.hardest > 0) indices = on_device(batch.indices);
    if (real_.defined()) {
      const auto right =
          real_.index_select(0, indices);  // [B, maximum number of labels], padded with -1
      now[kReal] = (right.eq(first.unsqueeze(1)).any(1) & readable).sum();
      now[kRealImages] = right.select(1, 0).ge(0).sum();
    }
    for (auto& value : now) value = value.to(torch::kDouble);
    sums_ += torch::stack(now);
    if (options_.hardest > 0) add_hardest(logits, labels, first, indices);
    if (confusion_.defined()) {
      const auto cell = labels.clamp_min(0) * logits.size(1) + first;
      confusion_.view(-1).scatter_add_(0, cell, readable.to(torch::kLong));
    }
  }

  // On entry, Evaluation::complete is that of this process.
  void write(Evaluation& result) {
    add_up(result);
    const auto total = sums_.cpu();
    const double* values = total.data_ptr<double>();
    const double readable = values[kReadable], images = values[kImages], real = values[kRealImages];
    result.images = static_cast<int64_t>(images);
    result.unreadable = static_cast<int64_t>(images - readable);
    result.real_images = static_cast<int64_t>(real);
    WF_CHECK(readable > 0 || images == 0, "none of the ", result.images,
             " validation images can be read; the log names the first ones");
    if (readable > 0) result.loss = values[kLoss] / readable;
    if (images > 0) {
      result.acc1 = 100 * values[kTop1] / images;
      result.acc5 = 100 * values[kTop5] / images;
    }
    if (real > 0) result.real_acc1 = 100 * values[kReal] / real;
    if (confusion_.defined()) result.confusion = confusion_.cpu();
    write_hardest(result);
  }

 private:
  // From memory that is not pinned, the copy would wait for the batches before.
  at::Tensor on_device(const std::vector<int64_t>& numbers) const {
    auto host = torch::tensor(numbers);
    if (options_.device.is_cuda()) host = host.pin_memory();
    return host.to(options_.device, /*non_blocking=*/true);
  }

  // Rows of loss, index, truth, predicted class and its probability. [K, 5] float64 on the device.
  void add_hardest(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& first,
                   const at::Tensor& indices) {
    const auto losses = at::cross_entropy_loss(logits, labels, {}, at::Reduction::None, -1);
    const auto probability = logits.softmax(1).gather(1, first.unsqueeze(1)).squeeze(1);
    std::vector<at::Tensor> columns{losses, indices, labels, first, probability};
    for (auto& column : columns) column = column.to(torch::kDouble);
    const auto rows = torch::stack(columns, 1);
    keep_hardest(hardest_.defined() ? torch::cat({hardest_, rows}) : rows);
  }

  void keep_hardest(const at::Tensor& rows) {
    const auto count = std::min(options_.hardest, rows.size(0));
    hardest_ = rows.index_select(0, std::get<1>(rows.select(1, 0).topk(count)));
  }

  // Each process has its own rows; the others add zeros to them, whose truth is marked as none.
  void share_hardest() {
    auto all = torch::zeros({options_.world, options_.hardest, 5}, torch::kDouble);
    auto own = all[options_.rank];
    own.select(1, 2).fill_(-1);
    if (hardest_.defined()) own.narrow(0, 0, hardest_.size(0)).copy_(hardest_);
    options_.sum(all);
    keep_hardest(all.flatten(0, 1));
  }

  void write_hardest(Evaluation& result) {
    if (!hardest_.defined()) return;
    const auto rows = hardest_.cpu().contiguous();
    for (int64_t i = 0; i < rows.size(0); ++i) {
      const double* row = rows.data_ptr<double>() + 5 * i;
      const auto integer = [&](int column) { return static_cast<int64_t>(row[column]); };
      if (row[2] < 0) continue;  // unreadable
      result.hardest.push_back({row[0], integer(1), integer(2), integer(3), row[4]});
    }
  }

  // On the CPU, where the counts are exact and no GPU stream is involved.
  void add_up(Evaluation& result) {
    if (!options_.sum) return;
    auto cancelled = torch::full({1}, result.complete ? 0 : 1, torch::kDouble);
    options_.sum(cancelled);
    result.complete = cancelled.item<double>() == 0;
    sums_ = sums_.cpu();
    options_.sum(sums_);
    if (options_.hardest > 0) share_hardest();
    if (!confusion_.defined()) return;
    confusion_ = confusion_.cpu();
    options_.sum(confusion_);
  }

  enum { kLoss, kTop1, kTop5, kReadable, kImages, kReal, kRealImages, kCount };

  // [images, maximum number of labels] int64, padded with -1.
  static at::Tensor table(const std::vector<std::vector<int64_t>>& labels) {
    size_t most = 1;
    for (const auto& one : labels) most = std::max(most, one.size());
    const auto count = static_cast<int64_t>(labels.size());
    auto out = torch::full({count, static_cast<int64_t>(most)}, -1, torch::kLong);
    for (size_t i = 0; i < labels.size(); ++i) {
      std::copy(labels[i].begin(), labels[i].end(), out.data_ptr<int64_t>() + i * most);
    }
    return out;
  }

  const EvaluateOptions& options_;
  at::Tensor sums_, confusion_, real_, hardest_;
};

}  // namespace

Evaluation evaluate(Classifier& model, Loader& loader, const EvaluateOptions& options) {
  const torch::InferenceMode inference;
  const EvalMode mode(model);
  Sums sums(options, model.num_classes());
  Evaluation result;
  Batch batch;
  loader.start(0);
  ProgressBar bar("validation", loader.batches(), "batches");
  for (int64_t done = 0; loader.next(batch); bar.show(++done)) {
    if (options.cancelled && options.cancelled()) {
      result.complete = false;
      break;
    }
    const auto images = model_input(batch, options.device);
    at::Tensor logits;
    {
      const MixedPrecision mixed(options.amp, options.device.type());
      logits = model.forward(images);
    }
    sums.add(logits.to(torch::kFloat), batch);
  }
  sums.write(result);
  return result;
}

}  // namespace wf
