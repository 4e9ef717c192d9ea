#include "checkpoint/ema_snapshots.h"

#include "weightformer/core/check.h"
#include "weightformer/serialization/weights.h"

#include "checkpoint/yaml_tree.h"
#include "config/describe.h"
#include "core/registry.h"
#include "core/stopwatch.h"
#include "core/text.h"
#include "runtime/log.h"
#include "serialization/flat_settings.h"
#include "serialization/tensor_file.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <torch/nn/module.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>

namespace wf {
namespace {

namespace fs = std::filesystem;

std::string ema_directory(const std::string& run) { return run + "/ema"; }

std::string file_name(int64_t step, double std) {
  return fmt::format("step_{:08}_std_{}.safetensors", step, std);
}

// Step and width from such a name; false: another file.
bool parse_name(const std::string& name, int64_t& step, double& std) {
  long long number = 0;
  int end = 0;
  const int found =
      std::sscanf(name.c_str(), "step_%lld_std_%lf.safetensors%n", &number, &std, &end);
  step = number;
  return found == 2 && end == static_cast<int>(name.size());
}

// In the order of their steps.
std::vector<EmaSnapshot> find_snapshots(const std::string& directory) {
  std::map<int64_t, EmaSnapshot> by_step;
  std::error_code none_there;
  for (const auto& entry : fs::directory_iterator(directory, none_there)) {
    int64_t step = 0;
    double std = 0;
    if (!parse_name(entry.path().filename().string(), step, std)) continue;
    by_step[step].step = step;
    by_step[step].files[std] = entry.path().string();
  }
  std::vector<EmaSnapshot> out;
  for (auto& item : by_step) out.push_back(std::move(item.second));
  return out;
}

void remove_incomplete_snapshots(const std::string& directory) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    if (entry.path().string().find(".safetensors.tmp") != std::string::npos) {
      fs::remove(entry.path(), ignored);
    }
  }
}

// The name and the settings that other programs look for.
std::map<std::string, std::string> file_metadata(const TrainState& state) {
  std::map<std::string, std::string> out{{"format", "pt"}};
  pickle::Document document;
  const auto settings = flat_settings(*yaml_tree(document, dump_yaml(state.config)));
  out[kSettingsMetadata] = nlohmann::json(settings).dump();
  const auto classes = state.metadata.find("classes");
  if (classes != state.metadata.end()) out["classes"] = nlohmann::json(classes->second).dump();
  return out;
}

int64_t previous_step(const std::string& path) {
  const auto file = read_safetensors(open_tensors(path));
  const auto found = file.metadata.find(kPreviousSnapshot);
  WF_CHECK(found != file.metadata.end(), path, ": not an EMA snapshot of wf_train");
  return std::atoll(found->second.c_str());
}

std::string widths_of(const EmaSnapshot& snapshot) {
  std::vector<std::string> words;
  for (const auto& item : snapshot.files) words.push_back(fmt::format("{}", item.first));
  return join(words, ", ");
}

}  // namespace

EmaSnapshotObserver::EmaSnapshotObserver(const std::string& run, int64_t steps)
    : directory_(ema_directory(run)), every_(steps) {}

// The weights are known to be finite only if the loss was read.
bool EmaSnapshotObserver::needs_loss(const StepReport& next) const {
  return every_ > 0 && next.step % every_ == 0;
}

void EmaSnapshotObserver::on_start(const TrainState& state) {
  if (every_ == 0) return;
  std::error_code problem;
  fs::create_directories(directory_, problem);
  WF_CHECK(!problem, directory_, ": cannot create the directory: ", problem.message());
  remove_incomplete_snapshots(directory_);
  std::string old;
  for (const auto& snapshot : find_snapshots(directory_)) {
    if (snapshot.step <= state.progress.step) {
      last_ = snapshot.step;
      continue;
    }
    if (old.empty() && !state.config.train.auto_resume) {
      int number = 1;
      while (fs::exists(str(directory_, "/old_", number))) ++number;
      old = str(directory_, "/old_", number);
      fs::create_directory(old, problem);
    }
    for (const auto& [std, path] : snapshot.files) {
      if (old.empty()) {
        fs::remove(path, problem);
      } else {
        fs::rename(path, fs::path(old) / fs::path(path).filename(), problem);
      }
      WF_CHECK(!problem, path, ": cannot be moved away: ", problem.message());
    }
  }
  if (!old.empty()) log::info("going back: the later EMA snapshots are now in {}", old);
}

void EmaSnapshotObserver::on_step(const TrainState& state, const StepReport& report) {
  if (every_ > 0 && report.step % every_ == 0) write(state);
}

void EmaSnapshotObserver::on_epoch_end(const TrainState& state, const EpochReport& report) {
  if (every_ > 0 && report.last && last_ < state.progress.step) write(state);
}

void EmaSnapshotObserver::write(const TrainState& state) {
  const Stopwatch watch;
  const auto& train = state.config.train;
  const auto first = state.emas.size() - train.ema_std.size();
  Safetensors content{state_dict(*state.model), file_metadata(state)};
  content.metadata[kPreviousSnapshot] = std::to_string(last_);
  for (size_t i = 0; i < train.ema_std.size(); ++i) {
    for (const auto& [name, average] : state.emas[first + i]->state()) {
      content.tensors[name] = average;
    }
    write_safetensors(directory_ + "/" + file_name(state.progress.step, train.ema_std[i]), content);
  }
  last_ = state.progress.step;
  constexpr double kNoticeable = 0.5;
  if (watch.seconds() > kNoticeable) {
    log::info("training waited {:.2f} s for a snapshot of the EMAs", watch.seconds());
  }
}

std::vector<EmaSnapshot> list_ema_snapshots(const std::string& run, int64_t last_step,
                                            bool allow_missing) {
  WF_CHECK(fs::is_directory(run), run, ": no such directory; give that of a run");
  const auto directory = ema_directory(run);
  auto found = find_snapshots(directory);
  WF_CHECK(!found.empty(), directory,
           ": holds no snapshots of EMAs: train with TRAIN.EMA_STD 0.05,0.1 and "
           "TRAIN.EMA_SNAPSHOT_STEPS above 0");
  std::set<int64_t> steps;
  for (const auto& snapshot : found) steps.insert(snapshot.step);
  WF_CHECK(last_step == 0 || steps.count(last_step), directory, ": has no snapshot of step ",
           last_step, "; the first is of step ", *steps.begin(), ", the last of ", *steps.rbegin());
  if (last_step > 0) {
    const auto later = [&](const auto& snapshot) { return snapshot.step > last_step; };
    found.erase(std::remove_if(found.begin(), found.end(), later), found.end());
  }
  if (allow_missing) return found;
  const char* anyway = "; --allow-missing makes an EMA, less exact, of what is there";
  for (const auto& snapshot : found) {
    WF_CHECK(widths_of(snapshot) == widths_of(found.front()), directory, ": step ", snapshot.step,
             " has the widths ", widths_of(snapshot), ", and step ", found.front().step, " has ",
             widths_of(found.front()), ": a file is missing", anyway);
    const auto before = previous_step(snapshot.files.begin()->second);
    WF_CHECK(before == 0 || steps.count(before), directory, ": the snapshot of step ", before,
             " is missing, which step ", snapshot.step, " follows", anyway);
  }
  return found;
}

}  // namespace wf
