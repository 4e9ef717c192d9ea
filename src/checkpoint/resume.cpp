#include "weightformer/checkpoint/resume.h"

#include "weightformer/checkpoint/checkpoint.h"
#include "weightformer/core/log.h"

namespace wf {

void resume(const Config& config, const std::string& folder, TrainState& state) {
  auto file = config.train.auto_resume ? newest_checkpoint(folder) : std::nullopt;
  if (file && !config.model.resume.empty() && *file != config.model.resume) {
    log::warning("going on from {} of this run, not from {}", *file, config.model.resume);
  }
  if (!file && !config.model.resume.empty()) file = config.model.resume;
  if (file) {
    load_checkpoint(*file, state);
    log::info("resumed {}: {} epochs and {} batches done", *file, state.progress.epoch,
              state.progress.batch);
  } else if (!config.model.pretrained.empty()) {
    const auto& weights = config.model.pretrained;
    load_weights(*state.model, read_weights(weights).tensors, weights);
    log::info("starting from the weights of {}", weights);
  }
}

}  // namespace wf
