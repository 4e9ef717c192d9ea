#include "engine/metrics_observer.h"

#include "weightformer/core/check.h"

#include "core/atomic_file.h"
#include "runtime/log.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace wf {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const Metric& metric) {
  return metric.spec->count ? Json(static_cast<int64_t>(metric.value)) : Json(metric.value);
}

void put(Json& line, const std::string& prefix, const Metrics& metrics, bool with_counts) {
  for (const auto& metric : metrics) {
    if (metric.spec->count && !with_counts) continue;
    line[prefix + metric.spec->name] = json_of(metric);
  }
}

void put(Json& line, const ValidationReport& report) {
  put(line, "val_", report.trained, /*with_counts=*/true);
  for (size_t i = 0; i < report.ema.size(); ++i) {
    put(line, i == 0 ? "val_ema_" : fmt::format("val_ema{}_", i + 1), report.ema[i], false);
  }
}

// True if a run at `progress` will not write this line again.
bool keeps(const nlohmann::json& line, const Progress& progress) {
  if (!line.is_object()) return false;  // truncated by a crash
  const auto count = [&](const char* name, int64_t otherwise) {
    const auto found = line.find(name);
    return found != line.end() && found->is_number() ? found->get<int64_t>() : otherwise;
  };
  const auto epoch = count("epoch", -1), step = count("step", 0);
  if (line.contains("train_loss")) return epoch >= 0 && epoch < progress.epoch;
  if (line.contains("loss")) return step <= progress.step;
  return step <= progress.validated_step;
}

// Appends to a file and flushes it to the disk. False, with errno, on failure.
bool write_all(int file, const std::string& text, bool sync) {
  for (size_t done = 0; done < text.size();) {
    const auto wrote = ::write(file, text.data() + done, text.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return false;
    done += static_cast<size_t>(wrote);
  }
  return !sync || ::fsync(file) == 0;
}

}  // namespace

void MetricsObserver::on_start(const TrainState& state) {
  pending_.clear();
  size_ = 0;
  inode_ = 0;
  if (!std::filesystem::exists(path_)) return;  // the first start
  WF_CHECK(std::filesystem::is_regular_file(path_), path_, ": not a regular file; remove it");
  std::ifstream in(path_);
  WF_CHECK(in, path_, ": cannot read the lines of earlier epochs");
  std::string kept;
  for (std::string line; std::getline(in, line);) {
    const auto entry = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (keeps(entry, state.progress)) kept += line + "\n";
  }
  in.close();
  write_text_file(path_, kept);
  size_ = static_cast<int64_t>(kept.size());
}

void MetricsObserver::on_step(const TrainState&, const StepReport& report) {
  if (!report.has_loss) return;
  Json line;
  line["step"] = report.step;
  line["epoch"] = report.epoch;
  line["loss"] = report.window_loss;
  put(line, "", report.metrics, /*with_counts=*/true);
  line["lr"] = report.lr;
  line["grad_norm"] = report.grad_norm;
  line["images_per_s"] = report.images_per_s;
  line["data_wait"] = report.data_wait;
  line["memory_mib"] = report.memory_mib;
  append(line.dump(), /*sync=*/false);
}

void MetricsObserver::on_validation(const TrainState& state, const ValidationReport& report) {
  Json line;
  line["step"] = state.progress.step;
  line["epoch"] = state.progress.epoch;
  put(line, report);
  append(line.dump(), /*sync=*/true);
}

void MetricsObserver::on_epoch_end(const TrainState& state, const EpochReport& report) {
  Json line;
  line["epoch"] = report.epoch;
  line["step"] = state.progress.step;
  line["train_loss"] = report.train_loss;
  if (report.validation) put(line, *report.validation);
  line["lr"] = report.lr;
  line["images_per_s"] = report.images_per_s;
  line["data_wait"] = report.data_wait;
  line["train_unreadable"] = report.unreadable;
  append(line.dump(), /*sync=*/true);
}

// After the run directory was moved or deleted, a new file begins in the new directory.
int MetricsObserver::open_file() {
  constexpr int kHow = O_WRONLY | O_CREAT | O_CLOEXEC;
  int file = ::open(path_.c_str(), kHow, 0644);
  if (file < 0 && errno == ENOENT) {
    std::error_code problem;
    std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), problem);
    file = ::open(path_.c_str(), kHow, 0644);
  }
  struct stat is {};
  if (file < 0 || ::fstat(file, &is) != 0) return file;
  if (inode_ != 0 && is.st_ino != inode_) size_ = is.st_size;
  size_ = std::min<int64_t>(size_, is.st_size);
  inode_ = is.st_ino;
  return file;
}

// A failed write must not stop training; the next write removes a partial line.
void MetricsObserver::append(const std::string& line, bool sync) {
  pending_ += line + "\n";
  const int file = open_file();
  const bool written = file >= 0 && ::ftruncate(file, size_) == 0 &&
                       ::lseek(file, 0, SEEK_END) >= 0 && write_all(file, pending_, sync);
  const std::string problem = written ? "" : std::strerror(errno);
  if (file >= 0) ::close(file);
  if (written) {
    size_ += static_cast<int64_t>(pending_.size());
    pending_.clear();
  } else {
    log::error("{}: {}; training continues, and the line will be written with the next", path_,
               problem);
  }
}

std::string evaluation_json(const Metrics& metrics) {
  Json line;
  for (const auto& metric : metrics) {
    const auto* key = metric.spec->eval_key;
    line[key ? key : std::string("val_") + metric.spec->name] = json_of(metric);
  }
  return line.dump();
}

}  // namespace wf
