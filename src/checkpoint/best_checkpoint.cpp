#include "checkpoint/best_checkpoint.h"

#include "weightformer/core/check.h"

#include "core/atomic_file.h"
#include "runtime/log.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>

namespace wf {
namespace {

namespace fs = std::filesystem;

struct Best {
  Progress progress;
  int64_t serial = 0;
};

// The metric of kBestCheckpoint; nullopt when it is missing or unreadable.
std::optional<Best> read_best(const std::string& path) {
  if (!fs::exists(path)) return std::nullopt;
  std::optional<CheckpointFile> file;
  try {
    file.emplace(path);
  } catch (const Error& problem) {
    log::warning("the best checkpoint cannot be read: {}", problem.what());
    return std::nullopt;
  }
  Best best{file->progress(/*steps_per_epoch=*/1), file->serial()};
  if (!best.progress.has_best()) return std::nullopt;
  return best;
}

// Of equal values the later one wins, as in training.
const SavedCheckpoint* best_of(const std::vector<SavedCheckpoint>& saved,
                               const MetricSpec& metric) {
  const SavedCheckpoint* best = nullptr;
  for (const auto& each : saved) {
    if (std::isnan(each.own_best)) continue;
    if (!best || metric.at_least_as_good(each.own_best, best->own_best)) best = &each;
  }
  return best;
}

bool is_better(const SavedCheckpoint& saved, const std::optional<Best>& best,
               const MetricSpec& metric) {
  if (!best) return true;
  if (!metric.at_least_as_good(saved.own_best, best->progress.best_metric)) return false;
  return saved.own_best != best->progress.best_metric || saved.serial > best->serial;
}

// Throws wf::Error when `from` is damaged or cannot be copied.
void copy_checkpoint(const std::string& from, const std::string& to) {
  CheckpointFile(from).verify();
  if (link_file(from, to)) return;
  const auto temporary = to + ".tmp";
  std::error_code problem;
  fs::copy_file(from, temporary, fs::copy_options::overwrite_existing, problem);
  if (!problem) fs::rename(temporary, to, problem);
  WF_CHECK(!problem, to, ": cannot copy ", from, ": ", problem.message());
}

// Searches `saved` for a better checkpoint than `best`, which is in `path`.
std::optional<Best> replace_by_better(const std::string& path, std::vector<SavedCheckpoint> saved,
                                      const MetricSpec& metric, std::optional<Best> best) {
  while (const auto* better = best_of(saved, metric)) {
    if (!is_better(*better, best, metric)) break;
    try {
      copy_checkpoint(better->path, path);
      log::info("{}: {} {}, copied from {}", path, metric.label, metric.show(better->own_best),
                better->path);
      return read_best(path);
    } catch (const Error& problem) {
      log::warning("not used as the best checkpoint: {}", problem.what());
    }
    saved.erase(saved.begin() + (better - saved.data()));
  }
  return best;
}

}  // namespace

void restore_best(const std::string& directory, std::vector<SavedCheckpoint> saved,
                  const MetricSpec& metric, Progress& progress) {
  const auto path = directory + "/" + kBestCheckpoint;
  const auto best = replace_by_better(path, std::move(saved), metric, read_best(path));
  if (!best && !progress.has_best()) return;
  const auto shown = metric.label + (" " + metric.show(progress.best_metric));
  if (!best) {
    log::warning("{}: missing, and it had the best {}; the next validation becomes the best", path,
                 shown);
  } else if (!progress.has_best() ||
             !metric.at_least_as_good(progress.best_metric, best->progress.best_metric)) {
    log::info("{}: remains the best until a validation is as good, {} {}{}", path, metric.label,
              metric.show(best->progress.best_metric),
              progress.has_best() ? " (resumed: " + shown + ")" : "");
  } else if (progress.best_metric != best->progress.best_metric) {
    log::warning("{}: {} {}; the weights that had the best {} are lost", path, metric.label,
                 metric.show(best->progress.best_metric), shown);
  }
  progress.best_metric = best ? best->progress.best_metric : Progress::kNone;
  progress.best_weights = best ? best->progress.best_weights : 0;
}

}  // namespace wf
