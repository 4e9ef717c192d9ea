#include "weightformer/checkpoint/checkpoint_observer.h"

#include "weightformer/checkpoint/checkpoint.h"
#include "weightformer/core/check.h"
#include "weightformer/core/log.h"

#include <exception>
#include <filesystem>

namespace wf {
namespace {

constexpr size_t kKeep = 3;

}  // namespace

void CheckpointObserver::on_start(const TrainState&) {
  serial_ = last_serial(folder_);
  // What a killed process left half-written.
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, ignored)) {
    if (entry.path().filename().string().find(".safetensors.tmp") != std::string::npos) {
      std::filesystem::remove(entry.path(), ignored);
    }
  }
}

void CheckpointObserver::on_epoch(const TrainState& state, const EpochReport& report) {
  try {
    if (state.progress.epoch % save_freq_ == 0 || report.last) {
      save(str("ckpt_epoch_", state.progress.epoch), state);
      prune_checkpoints(folder_, kKeep);
    }
    if (report.best) save("max_acc", state);
  } catch (const std::exception& problem) {
    log::error("checkpoint not saved: {}; training goes on", problem.what());
  }
}

void CheckpointObserver::on_stop(const TrainState& state) {
  save(str("ckpt_step_", state.progress.step), state);
  prune_checkpoints(folder_, kKeep);
}

void CheckpointObserver::save(const std::string& name, const TrainState& state) {
  const std::string path = folder_ + "/" + name + ".safetensors";
  const Stopwatch watch;
  save_checkpoint(path, state, ++serial_);
  log::info("saved {} in {:.2f} s", path, watch.seconds());
}

}  // namespace wf
