#include "weightformer/core/check.h"

#include "checkpoint/saved_checkpoints.h"
#include "config/load.h"
#include "engine/batch_size.h"
#include "runtime/log.h"
#include "train.h"

#include <ATen/ops/zeros.h>

#include <filesystem>

namespace wf {
namespace {

// Of the run that this one resumes; 0 when there is none, or its steps have other sizes.
int64_t earlier_batch(const Run& run) {
  const auto file = run.directory + "/config.yaml";
  if (!run.config.train.auto_resume || !std::filesystem::exists(file)) return 0;
  if (!has_checkpoints(run.directory)) return 0;
  const auto before = load_config(file);
  const auto total = [](const Config& c) { return c.data.batch_size * c.train.accumulation_steps; };
  return total(before) == total(run.config) ? before.data.batch_size : 0;
}

}  // namespace

Config with_fitting_batch(const Run& run) {
  auto config = run.config;
  auto earlier = at::zeros({1}, at::kLong);
  run.ranks->on_root("earlier batch size", [&] { earlier.fill_(earlier_batch(run)); });
  if (!run.ranks->simulated()) run.ranks->sum(earlier);
  const auto total = config.data.batch_size * config.train.accumulation_steps;
  const auto kept = earlier.item<int64_t>();
  const auto chosen = kept > 0 ? BatchParts{kept, total / kept} : fitting_batch(run);
  if (kept > 0) {
    log::info("--batch-size auto: micro-batches of {}, {} in a step, as in the run so far", kept,
              total / kept);
  }
  config.data.batch_size = chosen.batch;
  config.train.accumulation_steps = chosen.parts;
  config.origins["DATA.BATCH_SIZE"] = config.origins["TRAIN.ACCUMULATION_STEPS"] =
      "--batch-size auto";
  return config;
}

}  // namespace wf
