#include "weightformer/engine/observers.h"

#include "weightformer/core/check.h"

#include "core/atomic_file.h"
#include "runtime/log.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>

namespace wf {
namespace {

std::string bar(const StepReport& report) {
  constexpr int kWidth = 24;
  const int done = static_cast<int>(kWidth * report.batch / std::max<int64_t>(report.batches, 1));
  return std::string(done, '=') + std::string(kWidth - done, ' ');
}

std::string describe(const StepReport& r) {
  return fmt::format(
      "eta {}  lr {:.3g}  loss {:.4f}  grad norm {:.3f}  {:.1f} images/s  data wait {:.0f} %",
      clock_time(r.seconds_left), r.lr, r.loss, r.grad_norm, r.images_per_s, 100 * r.data_wait);
}

}  // namespace

void ConsoleObserver::on_step(const TrainState&, const StepReport& report) {
  const bool last = report.last_of_epoch();
  if (log::on_terminal() && (since_drawn_.seconds() > 0.1 || last)) {
    since_drawn_.restart();
    log::status(fmt::format("epoch {}/{} [{}] {}/{}  {:.1f} images/s  eta {}", report.epoch + 1,
                            report.epochs, bar(report), report.batch, report.batches,
                            report.images_per_s, clock_time(report.seconds_left)));
  }
  if (report.measured && (report.batch % print_freq_ == 0 || last)) {
    log::info("train [{}/{}][{}/{}]  {}", report.epoch + 1, report.epochs, report.batch,
              report.batches, describe(report));
  }
}

void ConsoleObserver::on_epoch(const TrainState& state, const EpochReport& report) {
  const auto& v = report.validation;
  log::info(
      "epoch {}: train loss {:.4f}, val loss {:.4f}, top-1 {:.2f} %, top-5 {:.2f} % of {} "
      "pictures, "
      "best top-1 {:.2f} %{}",
      report.epoch + 1, report.train_loss, v.loss, v.acc1, v.acc5, v.images,
      state.progress.max_accuracy, state.progress.best_averaged ? " (averaged weights)" : "");
  if (report.averaged) {
    log::info("epoch {}: averaged weights: val loss {:.4f}, top-1 {:.2f} %, top-5 {:.2f} %",
              report.epoch + 1, report.averaged->loss, report.averaged->acc1,
              report.averaged->acc5);
  }
  if (report.unreadable > 0 || v.unreadable > 0) {
    log::warning(
        "unreadable pictures: {} in training (replaced by others), {} in validation (counted as "
        "wrong)",
        report.unreadable, v.unreadable);
  }
}

void MetricsObserver::on_start(const TrainState& state) {
  lines_.clear();
  if (!std::filesystem::exists(path_)) return;  // the first start
  std::ifstream in(path_);
  WF_CHECK(in, path_, ": cannot read what earlier epochs left");
  std::string line;
  while (std::getline(in, line)) {
    const auto entry = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    // A line cut short by a crash, or of an epoch that comes again, goes.
    if (entry.is_object() && entry.value("epoch", int64_t{-1}) >= 0 &&
        entry.value("epoch", int64_t{-1}) < state.progress.epoch) {
      lines_ += line + "\n";
    }
  }
  in.close();
  write_text_file(path_, lines_);
}

void MetricsObserver::on_epoch(const TrainState&, const EpochReport& report) {
  nlohmann::ordered_json line;
  line["epoch"] = report.epoch;
  line["train_loss"] = report.train_loss;
  line["val_loss"] = report.validation.loss;
  line["val_acc1"] = report.validation.acc1;
  line["val_acc5"] = report.validation.acc5;
  if (report.averaged) {
    line["val_ema_loss"] = report.averaged->loss;
    line["val_ema_acc1"] = report.averaged->acc1;
    line["val_ema_acc5"] = report.averaged->acc5;
  }
  line["lr"] = report.lr;
  line["images_per_s"] = report.images_per_s;
  line["data_wait"] = report.data_wait;
  line["train_unreadable"] = report.unreadable;
  line["val_unreadable"] = report.validation.unreadable;
  lines_ += line.dump() + "\n";
  try {
    write_text_file(path_, lines_);
  } catch (const Error& problem) {  // the run is worth more than its diary
    log::error("{}; training goes on, and the line comes with the next", problem.what());
  }
}

}  // namespace wf
