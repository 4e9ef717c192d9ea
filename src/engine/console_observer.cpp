#include "engine/console_observer.h"

#include "runtime/log.h"

namespace wf {
namespace {

constexpr double kFirstSignOfLife = 10, kNextSignOfLife = 60;  // seconds without a log line

std::string bar(const StepReport& report) {
  constexpr int kWidth = 24;
  const int done = static_cast<int>(kWidth * report.batch / std::max<int64_t>(report.batches, 1));
  return std::string(done, '=') + std::string(kWidth - done, ' ');
}

std::string position(const StepReport& r) {
  return fmt::format("train [{}/{}][{}/{}]", r.epoch + 1, r.epochs, r.batch, r.batches);
}

std::string ema_name(size_t index, size_t count) {
  return count == 1 ? "EMA" : fmt::format("EMA {}", index + 1);
}

std::string best_so_far(const TrainState& state, const ValidationReport& report) {
  const auto& progress = state.progress;
  if (!report.selection || !progress.has_best()) return "";
  const auto weights = progress.best_weights;
  return fmt::format(
      ", best {} {}{}", report.selection->label, report.selection->show(progress.best_metric),
      weights == 0 ? ""
                   : " (" + ema_name(static_cast<size_t>(weights - 1), state.emas.size()) + ")");
}

}  // namespace

bool ConsoleObserver::needs_loss(const StepReport& next) const {
  // Every print_freq batches, or the first step after.
  return next.batch / print_freq_ > (next.batch - next.step_batches) / print_freq_;
}

void ConsoleObserver::on_step(const TrainState&, const StepReport& r) {
  if (log::on_terminal() && (since_drawn_.seconds() > 0.1 || r.last_of_epoch())) {
    since_drawn_.restart();
    log::status(fmt::format("epoch {}/{} [{}] {}/{}  {:.1f} images/s  eta {}", r.epoch + 1,
                            r.epochs, bar(r), r.batch, r.batches, r.images_per_s,
                            clock_time(r.seconds_left)));
  }
  if (r.has_loss && (needs_loss(r) || r.last_of_epoch())) {
    log::info(
        "{}  eta {}  lr {:.3g}  loss {:.4f}{}  grad norm {:.3f}  {:.1f} images/s  data wait {:.0f} "
        "%  memory {:.0f} MiB",
        position(r), clock_time(r.seconds_left), r.lr, r.loss,
        r.metrics.empty() ? "" : " (" + r.metrics.show() + ")", r.grad_norm, r.images_per_s,
        100 * r.data_wait, r.memory_mib);
    quiet_long_ = false;
    since_line_.restart();
  } else if (since_line_.seconds() > (quiet_long_ ? kNextSignOfLife : kFirstSignOfLife)) {
    log::info("{}  eta {}  lr {:.3g}  {:.1f} images/s", position(r), clock_time(r.seconds_left),
              r.lr, r.images_per_s);
    quiet_long_ = true;
    since_line_.restart();
  }
}

void ConsoleObserver::on_validation(const TrainState& state, const ValidationReport& report) {
  log_validation(fmt::format("step {}:", state.progress.step), state, report);
}

void ConsoleObserver::on_epoch_end(const TrainState& state, const EpochReport& report) {
  const auto when = fmt::format("epoch {}: train loss {:.4f}", report.epoch + 1, report.train_loss);
  if (report.validation) {
    log_validation(when + ",", state, *report.validation);
  } else {
    log::info("{}", when);
  }
  if (report.unreadable > 0) {
    log::warning("{} unreadable samples in training, replaced by others", report.unreadable);
  }
  since_line_.restart();
}

void log_validation(const std::string& when, const TrainState& state,
                    const ValidationReport& report) {
  log::info("{} {}{}", when, report.trained.show(), best_so_far(state, report));
  for (size_t i = 0; i < report.ema.size(); ++i) {
    log::info("{} {}: {}", when.substr(0, when.find(':') + 1), ema_name(i, report.ema.size()),
              report.ema[i].show());
  }
}

}  // namespace wf
