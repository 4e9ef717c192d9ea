#include "engine/report/report_observer.h"

#include "core/atomic_file.h"
#include "engine/report/report_page.h"
#include "runtime/log.h"

#include <exception>

namespace wf {

void ReportObserver::on_epoch_end(const TrainState& state, const EpochReport& report) try {
  if (report.validation && report.validation->details) {
    write_validation_file(directory_, *report.validation->details, report.epoch,
                          state.progress.step);
  }
  write_text_file(directory_ + "/report.html", report_page({read_run(directory_)}));
} catch (const std::exception& problem) {
  if (!warned_) log::warning("no report: {}; training continues", problem.what());
  warned_ = true;
}

}  // namespace wf
